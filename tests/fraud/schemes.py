"""Twelve frauds as they are done: each on a loan that was honest until then, in varying degree."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

from services.ledger.domain import commands as cmd
from services.ledger.domain.waterfall import PaymentSource
from shared.kernel.dates import add_months
from tests.fraud.honest import STARTS_ON, Servicing, live


def backdated_cure(loan: Servicing) -> None:
    """Money of today is said to have come before the loan was late."""
    late = loan.chance.randrange(4, 45)
    _wait(loan, late)
    loan.pay(loan.due(), back=late)


def reversed_after_month_end(loan: Servicing) -> None:
    """Money that does not exist, for the days on which the month is reported."""
    _wait(loan, 40)
    end = add_months(loan.desk.on.replace(day=1), 1) - timedelta(days=1)
    loan.go_to(end - timedelta(days=loan.chance.randrange(0, 4)))
    if loan.pay(loan.due()):
        loan.go_to(end + timedelta(days=loan.chance.randrange(1, 9)))
        loan.bounce()


def same_money_twice(loan: Servicing) -> None:
    """One payment is posted twice; the second pays for a friend's arrears."""
    amount = max(2, loan.due() // 2)
    loan.pay(amount)
    loan.pay(amount)


def debits_that_bounce(loan: Servicing) -> None:
    """A cheque that bounces, again and again, keeps the days past due low."""
    for _ in range(3):
        _wait(loan, loan.chance.randrange(8, 34))
        if loan.pay(loan.due()):
            loan.go_to(loan.desk.on + timedelta(days=5))
            loan.bounce()


def evergreened(loan: Servicing) -> None:
    """A plan after a plan, each shortly before the loan would be bad."""
    for _ in range(2):
        loan.go_to(loan.desk.on + timedelta(days=60 + loan.chance.randrange(0, 25)))
        loan.plan()


def paused_after_the_fact(loan: Servicing) -> None:
    """A pause is granted for weeks that are over."""
    late = loan.chance.randrange(14, 60)
    _wait(loan, late)
    asked = {"from_on": loan.desk.on - timedelta(days=late - 1), "reason": "flood"}
    loan.ask(cmd.PauseDelinquency, until_on=loan.desk.on + timedelta(days=10), **asked)


def waived_in_a_row(loan: Servicing) -> None:
    """A clerk lets a friend's fees go, one after the other."""
    for _ in range(loan.chance.randrange(3, 6)):
        loan.go_to(loan.desk.on + timedelta(days=loan.chance.randrange(5, 30)))
        loan.waive(loan.charge(), "Sun")


def goodwill_cure(loan: Servicing) -> None:
    """The lender pays its own arrears, so that the report is good."""
    _wait(loan, loan.chance.randrange(24, 60))
    loan.pay(loan.due(), source=PaymentSource.GOODWILL)


def never_paid(loan: Servicing) -> None:
    """Nobody is there who could pay."""
    loan.go_to(STARTS_ON + timedelta(days=200))


def undone_before_month_end(loan: Servicing) -> None:
    """A loss is taken back for the day of the report."""
    _wait(loan, 130)
    loan.ask(cmd.ChargeOffLoan, effective_on=loan.desk.on, reason="lost")
    end = add_months(loan.desk.on.replace(day=1), 1) - timedelta(days=1)
    loan.go_to(end - timedelta(days=loan.chance.randrange(0, 5)))
    loan.ask(cmd.UndoChargeOff, reason="found", approved_by="Li")


def refunded_soon(loan: Servicing) -> None:
    """Money from nowhere comes in above what is owed, and goes out clean."""
    line = loan.desk.account.timeline(loan.desk.on)
    extra = line.terms.principal_minor // loan.chance.randrange(2, 20)
    loan.pay(line.payoff + extra)
    loan.go_to(loan.desk.on + timedelta(days=loan.chance.randrange(1, 12)))
    refund = {"value_on": loan.desk.on, "amount_minor": extra, "currency": "CNY"}
    loan.ask(cmd.RefundCredit, reason="paid too much", **refund)


def settled_while_current(loan: Servicing) -> None:
    """A friend's debt is let go for a part of it, though he pays."""
    loan.pay(loan.due())
    line = loan.desk.account.timeline(loan.desk.on)
    asked = {"value_on": loan.desk.on, "amount_minor": line.payoff // 3, "currency": "CNY"}
    loan.ask(cmd.SettleLoan, reason="agreed", approved_by="Sun", **asked)


def _wait(loan: Servicing, days: int) -> None:
    """Let the next instalment fall due, and so many days pass."""
    rows = loan.desk.account.timeline(loan.desk.on).rows
    unpaid = (row.due_on for row in rows if row.unpaid > 0)
    first = next(unpaid, loan.desk.on)
    loan.go_to(max(first, loan.desk.on) + timedelta(days=days))


SCHEMES: tuple[Callable[[Servicing], None], ...] = (
    backdated_cure,
    reversed_after_month_end,
    same_money_twice,
    debits_that_bounce,
    evergreened,
    paused_after_the_fact,
    waived_in_a_row,
    goodwill_cure,
    never_paid,
    undone_before_month_end,
    refunded_soon,
    settled_while_current,
)


def book(honest: int, of_each: int, seed: int = 240) -> dict[str, Servicing]:
    """Return a book of honest loans, and some of each fraud; the id says which, nothing else."""
    loans: dict[str, Servicing] = {}
    for k in range(honest):
        loan = Servicing(f"honest-{k}", random.Random(f"{seed}/{k}"))
        live(loan)
        loans[loan.loan_id] = loan
    for scheme in SCHEMES:
        for k in range(of_each):
            loan = Servicing(
                f"{scheme.__name__}-{k}", random.Random(f"{seed}/{scheme.__name__}/{k}")
            )
            live(loan, 0 if scheme is never_paid else 1 + k % 3)
            scheme(loan)
            loans[loan.loan_id] = loan
    return loans
