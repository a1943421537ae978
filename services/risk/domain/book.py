"""The book on one date: what each loan owes, how late it is, and what is still to come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

import msgspec

from services.risk.domain.exposure import NONE
from services.risk.domain.roll_rates import ABSORBING, DEFAULTED, Move

SETTLED, CHARGED_OFF = "SETTLED", "CHARGED_OFF"
DAYS_OF_MONTH_MAX = 31
MONTHS_TO_DEFAULT = 4
"""Month ends until what fell due today, and is never paid, is more than 90 days late."""
MONTHS_OVER = 1
"""Of the remaining months of a book of a month end, that of the book."""
DAYS_OF_STATE = {"M0": (0, 0), "M1": (1, 30), "M2": (31, 60), "M3": (61, 90)}
"""Least and most days past due of a bucket; those behind have no edge that a stage looks at."""


class BookRow(msgspec.Struct, frozen=True, kw_only=True):
    """
    One loan on one date, minor units.

    `remaining_minor` is the principal that will be outstanding through each remaining month if
    all to come is paid when due, this month first; at least one entry while something is owed.
    `eased_on` is when terms were eased last; `creditor_ref` who bought the loan, empty while it
    is ours; `charges_minor` is all that is owed beside principal on that date, interest accrued
    since the last due date included; earlier versions kept none. `region` and `partner_ref` are
    those of its application, empty when not known.
    """

    loan_id: str
    borrower_ref: str
    product: str
    currency: str
    state: str
    tier: str
    days_past_due: int
    balance_minor: int
    disbursed_on: date
    rate_annual: Decimal
    remaining_minor: tuple[int, ...] = ()
    eased_on: date | None = None
    creditor_ref: str = ""
    region: str = ""
    partner_ref: str = ""
    charges_minor: int = 0

    @property
    def on_books(self) -> bool:
        """Say whether the loan is still an asset: not settled, not charged off, not sold."""
        return self.state not in ABSORBING and not self.creditor_ref

    @property
    def owed_minor(self) -> int:
        """Return what is at stake if the loan defaults now: principal, interest, fees due."""
        return self.balance_minor + self.charges_minor

    @property
    def exposures_minor(self) -> tuple[int, ...]:
        """
        Return what is at stake if the loan defaults in each month to come, the next one first.

        Days past due count from the oldest unpaid instalment, so a loan defaults with the balance
        before the one that fell due `MONTHS_TO_DEFAULT` months earlier: nothing has been paid
        since. The book's own month, which at its end is over, is none to come. Who pays when due
        pays the charges of today, and owes those of then: they count like today's for as long as
        a loss takes to come, and no more.
        """
        now = (self.remaining_minor[0] if self.remaining_minor else 0) + self.charges_minor
        return (*(now,) * MONTHS_TO_DEFAULT, *self.remaining_minor[MONTHS_OVER + 1 :])

    @property
    def days_that_count(self) -> int:
        """Return the days past due that classify: pauses and immaterial arrears do not."""
        least, most = DAYS_OF_STATE.get(self.state, (0, self.days_past_due))
        return max(least, min(most, self.days_past_due))


class Eased(msgspec.Struct, frozen=True, kw_only=True):
    """When the terms of a loan were eased last, and when before; earlier versions kept one date."""

    loan_id: str
    on: date
    before: tuple[date, ...] = ()


def eased_again(known: Eased | None, loan_id: str, on: date) -> Eased:
    """Return when the terms of a loan were eased, with one more date, heard in any order."""
    *before, last = sorted({on, *((known.on, *known.before) if known else ())})
    return Eased(loan_id=loan_id, on=last, before=tuple(before))


def with_easing(row: BookRow, eased: Eased | None, as_of: date) -> BookRow:
    """Return a row with when its terms were eased last by the date of the book, if they were."""
    dates = (eased.on, *eased.before) if eased else ()
    on = max((one for one in dates if one <= as_of), default=row.eased_on)
    return msgspec.structs.replace(row, eased_on=on)


def placed(row: BookRow, values: Mapping[str, str]) -> BookRow:
    """Return a row with the region and partner under which its application counts."""
    region, partner = (values.get(one, NONE) for one in ("region", "partner"))
    return msgspec.structs.replace(
        row,
        region="" if region == NONE else region,
        partner_ref="" if partner == NONE else partner,
    )


def moves(before: Iterable[BookRow], after: Iterable[BookRow]) -> list[Move]:
    """Return how each loan of the first date moved by the second; new loans are no moves."""
    later = {row.loan_id: row for row in after}
    return [
        Move(row.state, later[row.loan_id].state, row.balance_minor)
        for row in before
        if row.on_books and row.loan_id in later and not later[row.loan_id].creditor_ref
    ]


def is_bad(row: BookRow) -> bool:
    """Say whether a loan has defaulted: more than 90 days late, or charged off."""
    return row.state in DEFAULTED


def is_month_end(on: date) -> bool:
    """Say whether a date is the last of its month."""
    return (on + timedelta(days=1)).day == 1


def month_ends_of(
    history: Sequence[Sequence[BookRow]], dates: Sequence[date]
) -> Iterator[tuple[Sequence[BookRow] | None, tuple[date, Sequence[BookRow]]]]:
    """Yield the book of each month end, behind that of the month end before; None if not kept."""
    last: tuple[date, Sequence[BookRow]] | None = None
    for on, book in zip(dates, history, strict=True):
        if is_month_end(on):
            whole = last is not None and (on - last[0]).days <= DAYS_OF_MONTH_MAX
            yield last[1] if last and whole else None, (on, book)
            last = on, book


def remaining_months(dues: Iterable[tuple[date, int]], as_of: date) -> tuple[int, ...]:
    """
    Return the principal outstanding through each remaining month.

    What is overdue stays out for `MONTHS_TO_DEFAULT`: it is not paid when due any more, and the
    months that a loss takes to come are part of the life that it is expected over, also of a loan
    whose last due date is behind it.

    Args:
        dues: Due date and unpaid principal of each instalment, minor units.
        as_of: The date of the book; what was due before it, and is unpaid, is overdue.
    """
    found: list[int] = []
    left = sum(amount for _, amount in dues)
    by_month: dict[int, int] = {}
    for due_on, amount in dues:
        months = (due_on.year - as_of.year) * 12 + due_on.month - as_of.month
        months = MONTHS_TO_DEFAULT - 1 if due_on < as_of else months
        by_month[months] = by_month.get(months, 0) + amount
    month = 0
    while left > 0:
        found.append(left)
        left -= by_month.get(month, 0)
        month += 1
    return tuple(found)
