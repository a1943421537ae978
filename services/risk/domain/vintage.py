"""How loans of one month of origination turn out, by months on book; never more than is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import date
from fractions import Fraction

import msgspec

from shared.kernel.dates import add_months, month_end


class LoanLife(msgspec.Struct, frozen=True, kw_only=True):
    """
    One loan: when it was paid out, and when it first was so late; None for never.

    What is bad, more than 90 days late or charged off, was more than 30 days late by then.
    """

    disbursed_on: date
    bad_on: date | None
    over_thirty_on: date | None = None

    @property
    def late_on(self) -> date | None:
        """Return when it first was more than 30 days late."""
        return min((on for on in (self.over_thirty_on, self.bad_on) if on), default=None)


class Vintage(msgspec.Struct, frozen=True, kw_only=True):
    """
    Loans of one month.

    `ever_bad` and `ever_over_thirty` have the share of all loans of the month, by count, at 1, 2,
    3 … months on book; None where not every loan of the month has been on book that long, or
    nobody looked at each month end since its first.
    """

    month: str
    loans: int
    ever_bad: tuple[Fraction | None, ...]
    ever_over_thirty: tuple[Fraction | None, ...] = ()


def vintages(
    loans: Iterable[LoanLife], as_of: date, months: int, seen_on: Collection[date] | None = None
) -> list[Vintage]:
    """
    Return a row per month of origination, oldest first.

    Args:
        loans: Every loan ever paid out, settled ones included: the denominator never shrinks.
        as_of: What is known up to this date counts.
        months: How many months on book to show.
        seen_on: The month ends on which loans were looked at; None for all.
    """
    grouped: dict[str, list[LoanLife]] = defaultdict(list)
    for loan in loans:
        if loan.disbursed_on <= as_of:
            grouped[f"{loan.disbursed_on:%Y-%m}"].append(loan)
    return [
        _vintage(month, rows, as_of, months, _seen(month, months, seen_on))
        for month, rows in sorted(grouped.items())
    ]


def _seen(month: str, months: int, seen_on: Collection[date] | None) -> int:
    """Return how many month ends in a row were looked at, the month's own first."""
    first = date.fromisoformat(f"{month}-01")
    ends = (month_end(add_months(first, k)) for k in range(months))
    return next(
        (k for k, on in enumerate(ends) if seen_on is not None and on not in seen_on), months
    )


def _vintage(month: str, loans: list[LoanLife], as_of: date, months: int, seen: int) -> Vintage:
    old = min(months_between(loan.disbursed_on, as_of) for loan in loans)

    def ever(turned_on: Callable[[LoanLife], date | None]) -> tuple[Fraction | None, ...]:
        within = [
            _month_within(loan.disbursed_on, on)
            for loan in loans
            if (on := turned_on(loan)) is not None and on <= as_of
        ]
        return tuple(
            Fraction(sum(one <= mob for one in within), len(loans))
            if mob <= min(old, seen)
            else None
            for mob in range(1, months + 1)
        )

    bad, late = ever(lambda loan: loan.bad_on), ever(lambda loan: loan.late_on)
    return Vintage(month=month, loans=len(loans), ever_bad=bad, ever_over_thirty=late)


def months_between(start: date, end: date) -> int:
    """
    Return whole months from one date to another; the last one counts from its day on.

    A month without such a day is full on its last: 31 January to 28 February is one.
    """
    months = (end.year - start.year) * 12 + end.month - start.month
    return months - (end.day < min(start.day, month_end(end).day))


def _month_within(start: date, on: date) -> int:
    """Return within how many months on book a date lies; a month ends with its full day."""
    months = months_between(start, on)
    return months + (add_months(start, months) < on)
