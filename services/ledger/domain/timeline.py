"""Balances and arrears are one pure function of terms and facts; everything else asks it."""

from __future__ import annotations

from copy import copy
from datetime import date
from fractions import Fraction
from itertools import takewhile
from typing import NamedTuple

import msgspec

from services.ledger.domain.periods import Period
from services.ledger.domain.schedule import Plan
from services.ledger.domain.terms import Terms
from services.ledger.domain.trail import Trail
from services.ledger.domain.waterfall import Component
from shared.kernel.money import round_minor


class Allocation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One slot that money went to; instalment 0 is a charge of the loan."""

    instalment: int
    component: Component
    amount_minor: int


NO_PENALTY = Fraction(0)
"""The penalty of a row that was never late."""


class Charge(msgspec.Struct, gc=False):
    """An amount the lender charged, with its own due date; minor units."""

    fact_id: str
    component: Component
    due_on: date
    due: int
    paid: int = 0


class Row(msgspec.Struct, gc=False):
    """
    One instalment on its way: due, paid, and the penalty that its lateness earned.

    `penalty_runs`: overdue principal and for how many days, as penalty interest was earned on it.
    `carried`: of the interest, what is earned whatever the date: under an earlier plan, or before
    the rest was forgiven. `shifted`: of the interest, what it owes for earlier plans, or below zero
    what was paid under them and not earned.
    """

    number: int
    start_on: date
    due_on: date
    principal_due: int
    interest_due: int
    period: Period | None = None
    principal_paid: int = 0
    interest_paid: int = 0
    penalty_exact: Fraction = NO_PENALTY
    penalty_runs: tuple[tuple[int, int], ...] = ()
    penalty_paid: int = 0
    charges: tuple[Charge, ...] = ()
    paid_on: date | None = None
    paid_in_advance: int = 0
    paid_late: int = 0
    carried: int = 0
    shifted: int = 0

    @property
    def principal_unpaid(self) -> int:
        """Principal of this instalment still owed, minor units."""
        return self.principal_due - self.principal_paid

    @property
    def charges_unpaid(self) -> int:
        """Charges of this instalment still owed, minor units."""
        return sum(c.due - c.paid for c in self.charges)

    @property
    def unpaid(self) -> int:
        """Principal, interest and charges of this instalment still owed, minor units."""
        due = self.principal_unpaid + self.interest_due - self.interest_paid
        return due + self.charges_unpaid if self.charges else due

    @property
    def paid(self) -> int:
        """Everything paid on this instalment, minor units."""
        charges = sum(c.paid for c in self.charges)
        return self.principal_paid + self.interest_paid + self.penalty_paid + charges

    def reopen(self) -> None:
        """Forget the day on which it was paid, if something of it is owed again."""
        if self.unpaid > 0:
            self.paid_on = None

    def copied(self) -> Row:
        """Return a row that can go its own way."""
        twin: Row = self.__copy__()  # type: ignore[attr-defined]
        if self.charges:
            twin.charges = tuple(copy(charge) for charge in self.charges)
        return twin

    def charged(self, component: Component) -> int:
        """Return the charges of one component, minor units."""
        return sum(c.due for c in self.charges if c.component is component)


class SharedRows(list[Row]):
    """Rows that another timeline may hold as well: who changes one takes a copy of it first."""


class Owed(NamedTuple):
    """What a loan owes, by component, minor units."""

    principal: int
    interest: int
    penalty: int
    charges: int


class Timeline(msgspec.Struct, gc=False):
    """
    A loan on one date: its rows, what each fact did, and what is owed.

    `paid_out` are the disbursals, `forborne_on` the dates of new plans; `creditor_ref` names who
    bought the loan, "" while it is the lender's; `accelerated_on` is when everything was declared
    due, None without, or with a new plan since; `returned_on` is when the bank sent the payout
    back, None while it did not; `income_stopped` is the interest and penalty earned by then, once
    nothing more is. `closed` once it was paid off, settled or written off: its plan makes nothing
    due any more. `dated_charges`: some instalment bears, or bore, a charge. `allocations` says
    where the money of each fact went, by its id, in the order in which the facts count.
    """

    terms: Terms
    on: date
    plan: Plan
    rows: list[Row]
    loan_charges: list[Charge] = msgspec.field(default_factory=list)
    pauses: list[tuple[date, date]] = msgspec.field(default_factory=list)
    paid_out: list[tuple[date, int]] = msgspec.field(default_factory=list)
    forborne_on: list[date] = msgspec.field(default_factory=list)
    creditor_ref: str = ""
    accelerated_on: date | None = None
    returned_on: date | None = None
    income_stopped: tuple[int, int] | None = None
    unallocated: int = 0
    received: int = 0
    recovered: int = 0
    subrogated: int = 0
    closed: bool = False
    dated_charges: bool = False
    charged_off_principal: int | None = None
    charged_off_on: date | None = None
    books: dict[str, int] = msgspec.field(default_factory=dict)
    allocations: Trail[tuple[str, tuple[Allocation, ...]]] = msgspec.field(default_factory=Trail)

    def copied(self) -> Timeline:
        """Return a timeline that can go its own way."""
        twin = self.sharing()
        twin.own_rows()
        return twin

    def sharing(self) -> Timeline:
        """Return one that shares rows, for facts and time to pass on: both copy what changes."""
        twin: Timeline = self.__copy__()  # type: ignore[attr-defined]
        self.rows, twin.rows = SharedRows(self.rows), SharedRows(self.rows)
        twin.loan_charges = [copy(charge) for charge in self.loan_charges]
        twin.pauses, twin.paid_out = list(self.pauses), list(self.paid_out)
        twin.forborne_on = list(self.forborne_on)
        twin.books = dict(self.books)
        return twin

    def own_rows(self) -> None:
        """Hold rows that no other timeline does, and that may be changed."""
        if type(self.rows) is SharedRows:
            self.rows = [row.copied() for row in self.rows]

    def allocated(self, fact_id: str) -> tuple[Allocation, ...] | None:
        """Return where the money of a fact went; None if it did not count yet."""
        return next((slots for name, slots in reversed(self.allocations) if name == fact_id), None)

    @property
    def principal_outstanding(self) -> int:
        """Principal not yet repaid, minor units."""
        return sum(row.principal_due - row.principal_paid for row in self.rows)

    @property
    def charges_outstanding(self) -> int:
        """Charges unpaid, due or not, minor units."""
        return self.owed().charges

    @property
    def charges(self) -> list[Charge]:
        """Every charge, of the loan and of its instalments."""
        return [*self.loan_charges, *(c for row in self.rows if row.charges for c in row.charges)]

    def penalty_due(self, row: Row) -> int:
        """Penalty interest of one row: nothing inside grace, from the due date after it."""
        if not row.penalty_exact:
            return 0
        if row.paid_on is None and (self.on - row.due_on).days <= self.terms.grace_days:
            return 0
        return round_minor(row.penalty_exact, self.terms.rounding)

    @property
    def penalty_outstanding(self) -> int:
        """Penalty interest accrued and unpaid, minor units."""
        return self.owed().penalty

    @property
    def interest_owed(self) -> int:
        """Interest owed if the loan ended today: earned, or all of it without a rebate."""
        return self.owed().interest

    @property
    def payoff(self) -> int:
        """What settles the loan on this date; minor units."""
        return self.payoff_of(self.owed())

    def payoff_of(self, owed: Owed) -> int:
        """Return what settles the loan, where what it owes is known already; minor units."""
        total = owed.principal + max(0, owed.interest) + owed.penalty + owed.charges
        ahead = self.principal_ahead if self.terms.prepayment_fee_rate else 0
        return total + self.prepayment_fee(ahead) - self.credit

    @property
    def credit(self) -> int:
        """What of a credit balance counts against the debt; below zero, too much was paid back."""
        return self.unallocated if self.terms.overpayment == "CREDIT" else min(0, self.unallocated)

    @property
    def principal_ahead(self) -> int:
        """Principal that is not due yet, minor units."""
        return sum(row.principal_unpaid for row in self.rows if row.due_on > self.on)

    def prepayment_fee(self, ahead_minor: int) -> int:
        """Return what the borrower owes for principal paid before it is due; minor units."""
        if not self.terms.prepayment_fee_rate or self.charged_off_on is not None:
            return 0
        fee = Fraction(self.terms.prepayment_fee_rate) * ahead_minor
        return round_minor(fee, self.terms.rounding)

    def owes(self, amount_minor: int) -> bool:
        """Say whether the payoff is at least an amount; the first principal rows often tell."""
        wanted = amount_minor + self.credit
        for row in self.rows:
            wanted -= row.principal_due - row.principal_paid
            if wanted <= 0:
                return True
        return self.payoff >= amount_minor

    def owed(self) -> Owed:
        """Return what is owed if the loan ended today, in one pass over the rows."""
        on, rebate = self.on, self.terms.rebate_unearned
        principal = interest = penalty = 0
        charges = sum(charge.due - charge.paid for charge in self.loan_charges)
        for row in self.rows:
            principal += row.principal_due - row.principal_paid
            if row.due_on <= on or not rebate:
                earned = row.interest_due
            elif on <= row.start_on:
                earned = row.carried
            else:
                earned = interest_earned(row, on, self.terms)
            interest += max(0, earned - row.interest_paid) if rebate else earned - row.interest_paid
            if row.penalty_exact is not NO_PENALTY:
                penalty += max(0, self.penalty_due(row) - row.penalty_paid)
            if row.charges:
                charges += row.charges_unpaid
        return Owed(principal, interest, penalty, charges)

    @property
    def days_past_due(self) -> int:
        """Days since the oldest due date with something unpaid; 0 when nothing is overdue."""
        on = self.on
        for row in self.rows:
            if row.due_on >= on:
                return 0
            due = row.principal_due - row.principal_paid + row.interest_due - row.interest_paid
            if due > 0 or (row.charges and row.unpaid > 0):
                return (on - row.due_on).days
        return 0

    @property
    def overdue(self) -> list[Row]:
        """Rows past their due date with something unpaid, oldest first."""
        return [r for r in takewhile(lambda r: r.due_on < self.on, self.rows) if r.unpaid > 0]


def interest_earned(row: Row, on: date, terms: Terms) -> int:
    """Return the part of a row's interest earned by `on`: all of it once due, by days before."""
    if on >= row.due_on:
        return row.interest_due
    if row.period is None or on <= row.start_on or not row.interest_due:
        return row.carried
    part = row.period.earned_part(on, terms)
    by_days = round_minor(Fraction(row.interest_due - row.carried) * part)
    return min(row.interest_due, row.carried + by_days)
