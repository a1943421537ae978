"""Honest borrowers and servicers, with what happens to them: much of it looks odd and is not."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

import msgspec

from services.ledger.application.entry_tests import add
from services.ledger.domain import commands as cmd
from services.ledger.domain.terms import Overpayment
from services.ledger.domain.waterfall import PaymentSource
from shared.kernel.dates import add_months
from shared.kernel.errors import LendingError
from tests.services.ledger.domain.desk import TERMS, Desk

STARTS_ON = date(2026, 1, 5)
APPROVERS = ("Li", "Wang", "Zhao", "Chen", "Sun")


class Servicing:
    """One loan, and everything that was recorded of it with its business date."""

    def __init__(self, loan_id: str, chance: random.Random) -> None:
        self.loan_id, self.chance = loan_id, chance
        instalments = chance.choice((6, 12, 18))
        terms = msgspec.structs.replace(
            TERMS,
            instalments=instalments,
            principal_minor=100_000 * chance.randrange(6, 40),
            overpayment=Overpayment.CREDIT,
        )
        self.desk, self.life, self.taken = Desk(terms, STARTS_ON), [], 0
        self.last_payment = ""
        self._keep()

    def _keep(self) -> None:
        for event in self.desk.events[self.taken :]:
            add(self.life, event, self.desk.on)
        self.taken = len(self.desk.events)

    def go_to(self, on: date) -> None:
        """Close days up to a date; never back."""
        if on > self.desk.on:
            self.desk.go_to(on)
            self._keep()

    def ask(self, kind: type[cmd.Asked], **asked: object) -> bool:
        """Ask the ledger's own rules; what they refuse does not happen."""
        try:
            self.desk.ask(kind, **asked)
        except LendingError:
            return False
        self._keep()
        return True

    def pay(
        self, amount: int, *, back: int = 0, source: PaymentSource = PaymentSource.BORROWER
    ) -> bool:
        """Post money that reached the bank some days ago."""
        money = {"amount_minor": max(1, amount), "currency": "CNY", "source": source}
        value_on = self.desk.on - timedelta(days=back)
        if not self.ask(cmd.PostRepayment, value_on=value_on, **money):
            return False
        self.last_payment = f"r-{self.desk.count}"
        return True

    def bounce(self) -> None:
        """The bank takes the last payment back."""
        self.ask(cmd.ReverseRepayment, repayment_id=self.last_payment, reason="returned")

    def charge(self, amount: int = 500) -> str:
        """Charge an amount; return its id."""
        money = {"value_on": self.desk.on, "amount_minor": amount, "currency": "CNY"}
        self.ask(cmd.ApplyCharge, reason="late", **money)
        return f"r-{self.desk.count}"

    def waive(self, charge_id: str, by: str) -> None:
        """Let go of a charge."""
        asked = {"value_on": self.desk.on, "reason": "kindness", "approved_by": by}
        self.ask(cmd.WaiveCharge, charge_id=charge_id, **asked)

    def plan(self) -> None:
        """Agree on another plan for what is left."""
        self.ask(
            cmd.RestructureLoan,
            effective_on=self.desk.on,
            instalments=12,
            first_due_on=add_months(self.desk.on, 1),
            rate_annual=Decimal("0.10"),
            reason="hardship",
            approved_by=self.chance.choice(APPROVERS),
        )

    def due(self) -> int:
        """What is overdue or falls due today, minor units."""
        line = self.desk.account.timeline(self.desk.on)
        return sum(row.unpaid for row in line.rows if row.due_on <= self.desk.on)


def live(loan: Servicing, months: int = 9) -> None:
    """Let an honest loan live: mostly on time, sometimes late, lagging, bounced, in hardship."""
    chance = loan.chance
    for month in range(1, months + 1):
        due_on = add_months(STARTS_ON, month)
        loan.go_to(due_on)
        what = chance.random()
        if what < 0.72:
            loan.pay(loan.due())
        elif what < 0.80:
            lag = chance.randrange(1, 6)
            loan.go_to(due_on + timedelta(days=lag))
            loan.pay(loan.due(), back=lag)
        elif what < 0.88:
            loan.go_to(due_on + timedelta(days=chance.randrange(2, 25)))
            loan.pay(loan.due())
        elif what < 0.92:
            if loan.pay(loan.due()):
                loan.go_to(due_on + timedelta(days=chance.randrange(1, 4)))
                loan.bounce()
                loan.go_to(loan.desk.on + timedelta(days=chance.randrange(2, 10)))
                loan.pay(loan.due())
        elif what < 0.97:
            _odd(loan)


def _odd(loan: Servicing) -> None:
    """One of the things that honest servicers do, and that an auditor would look at twice."""
    chance, on = loan.chance, loan.desk.on
    late = on + timedelta(days=chance.randrange(10, 26))
    loan.go_to(late)
    what = chance.randrange(6)
    if what == 0:
        loan.plan()
    elif what == 1:
        loan.waive(loan.charge(), chance.choice(APPROVERS))
        loan.pay(loan.due())
    elif what == 2:
        loan.pay(chance.randrange(1, 300), source=PaymentSource.GOODWILL)
        loan.pay(loan.due())
    elif what == 3:
        pause = {"from_on": late - timedelta(days=chance.randrange(0, 8)), "reason": "flood"}
        loan.ask(cmd.PauseDelinquency, until_on=late + timedelta(days=30), **pause)
        loan.pay(loan.due())
    elif what == 4:
        loan.pay(loan.due() // 2)
        loan.pay(loan.due())
    else:
        loan.pay(loan.due(), back=chance.randrange(1, 8))
