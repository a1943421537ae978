"""Balances and arrears are one pure function of terms and facts; everything else asks it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

import msgspec

from services.ledger.domain.schedule import schedule
from services.ledger.domain.terms import Terms
from shared.kernel.dates import DayCount, year_fraction
from shared.kernel.money import round_minor


class Component(StrEnum):
    """The part of the debt that money goes to."""

    PENALTY = "PENALTY"
    FEE = "FEE"
    INTEREST = "INTEREST"
    PRINCIPAL = "PRINCIPAL"


class Allocation(msgspec.Struct, frozen=True, array_like=True):
    """One slot that money went to; instalment 0 is a charge of the loan."""

    instalment: int
    component: Component
    amount_minor: int


class FactKind(StrEnum):
    """The facts that change balances."""

    REPAYMENT = "REPAYMENT"
    CHARGE = "CHARGE"
    RESTRUCTURE = "RESTRUCTURE"
    CHARGE_OFF = "CHARGE_OFF"
    RECOVERY = "RECOVERY"


class MoneyFact(msgspec.Struct, frozen=True, kw_only=True):
    """One fact as the timeline needs it: when it counts, in which order, how much."""

    kind: FactKind
    effective_on: date
    version: int
    fact_id: str = ""
    amount_minor: int = 0
    terms: Terms | None = None


@dataclass(slots=True)
class Row:
    """One instalment on its way: due, paid, and the penalty that its lateness earned."""

    number: int
    start_on: date
    due_on: date
    principal_due: int
    interest_due: int
    principal_paid: int = 0
    interest_paid: int = 0
    penalty_exact: Fraction = Fraction(0)
    penalty_paid: int = 0
    paid_on: date | None = None

    @property
    def principal_unpaid(self) -> int:
        """Principal of this instalment still owed, minor units."""
        return self.principal_due - self.principal_paid

    @property
    def unpaid(self) -> int:
        """Principal and interest of this instalment still owed, minor units."""
        return self.principal_unpaid + self.interest_due - self.interest_paid


@dataclass(slots=True)
class Timeline:
    """A loan on one date: its rows, what each fact did, and what is owed."""

    terms: Terms
    on: date
    rows: list[Row]
    fees_due: int = 0
    fees_paid: int = 0
    unallocated: int = 0
    received: int = 0
    recovered: int = 0
    charged_off_principal: int | None = None
    charged_off_on: date | None = None
    books: dict[str, int] = field(default_factory=dict)
    allocations: dict[str, tuple[Allocation, ...]] = field(default_factory=dict)

    @property
    def principal_outstanding(self) -> int:
        """Principal not yet repaid, minor units."""
        return sum(row.principal_unpaid for row in self.rows)

    def penalty_due(self, row: Row) -> int:
        """Penalty interest of one row: nothing inside grace, from the due date after it."""
        if row.paid_on is None and (self.on - row.due_on).days <= self.terms.grace_days:
            return 0
        exact = row.penalty_exact
        return round_minor(Decimal(exact.numerator) / exact.denominator, self.terms.rounding)

    @property
    def penalty_outstanding(self) -> int:
        """Penalty interest accrued and unpaid, minor units."""
        return sum(max(0, self.penalty_due(row) - row.penalty_paid) for row in self.rows)

    @property
    def payoff(self) -> int:
        """What settles the loan on this date: interest only for the days that money was out."""
        interest = sum(interest_earned(row, self.on, self.terms.day_count) for row in self.rows)
        paid = sum(row.interest_paid for row in self.rows)
        owed = self.principal_outstanding + max(0, interest - paid)
        return owed + self.penalty_outstanding + self.fees_due - self.fees_paid

    @property
    def overdue(self) -> list[Row]:
        """Rows past their due date with something unpaid, oldest first."""
        return [row for row in self.rows if row.due_on < self.on and row.unpaid > 0]


def interest_earned(row: Row, on: date, day_count: DayCount) -> int:
    """Return the part of a row's interest earned by `on`: all of it once due, by days before."""
    if on >= row.due_on:
        return row.interest_due
    if on <= row.start_on:
        return 0
    whole = year_fraction(row.start_on, row.due_on, day_count)
    part = Fraction(row.interest_due) * year_fraction(row.start_on, on, day_count) / whole
    return min(row.interest_due, round_minor(Decimal(part.numerator) / part.denominator))


def rows_of(terms: Terms, start_on: date, first_number: int = 1) -> list[Row]:
    """Return the contract's instalments as unpaid rows."""
    rows, start = [], start_on
    for item in schedule(terms, start_on, first_number):
        rows.append(
            Row(item.number, start, item.due_on, item.principal_due_minor, item.interest_due_minor)
        )
        start = item.due_on
    return rows
