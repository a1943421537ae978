"""The book on one date: what each loan owes, how late it is, and what is still to come."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import msgspec

from services.risk.domain.roll_rates import ABSORBING, DEFAULTED, Move

SETTLED, CHARGED_OFF = "SETTLED", "CHARGED_OFF"


class BookRow(msgspec.Struct, frozen=True, kw_only=True):
    """
    One loan on one date, minor units.

    `remaining_minor` is the principal that will be outstanding through each remaining month if
    all is paid when due, this month first; at least one entry while something is owed.
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

    @property
    def on_books(self) -> bool:
        """Say whether the loan is still an asset: not settled, not charged off."""
        return self.state not in ABSORBING


def moves(before: Iterable[BookRow], after: Iterable[BookRow]) -> list[Move]:
    """Return how each loan of the first date moved by the second; new loans are no moves."""
    later = {row.loan_id: row for row in after}
    return [
        Move(row.state, later[row.loan_id].state, row.balance_minor)
        for row in before
        if row.loan_id in later and row.state not in ABSORBING
    ]


def is_bad(row: BookRow) -> bool:
    """Say whether a loan has defaulted: more than 90 days late, or charged off."""
    return row.state in DEFAULTED


def remaining_months(dues: Iterable[tuple[date, int]], as_of: date) -> tuple[int, ...]:
    """
    Return the principal outstanding through each remaining month.

    Args:
        dues: Due date and unpaid principal of each instalment, minor units.
        as_of: The date of the book; what is overdue is outstanding through this month.
    """
    found: list[int] = []
    left = sum(amount for _, amount in dues)
    by_month: dict[int, int] = {}
    for due_on, amount in dues:
        months = max(0, (due_on.year - as_of.year) * 12 + due_on.month - as_of.month)
        by_month[months] = by_month.get(months, 0) + amount
    month = 0
    while left > 0:
        found.append(left)
        left -= by_month.get(month, 0)
        month += 1
    return tuple(found)
