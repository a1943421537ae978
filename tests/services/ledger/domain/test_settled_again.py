"""A settled loan of which something is owed again, since an earlier repayment became known."""

from __future__ import annotations

from datetime import date

import msgspec

from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain.explain import explain
from services.ledger.domain.facts import LoanStatus
from services.ledger.domain.loan_account import fold
from services.ledger.domain.status import status_on
from services.ledger.domain.terms import Overpayment, Prepayment, RepaymentMethod
from shared.audit.evaluate import evaluate
from tests.services.ledger.domain.desk import TERMS, Desk

PAID_OFF_ON, BACK_ON, TODAY = date(2026, 2, 22), date(2026, 1, 20), date(2026, 4, 2)


def paid_off() -> Desk:
    """A loan whose prepayments shorten it, paid off in February; no interest is given back."""
    desk = Desk(
        msgspec.structs.replace(
            TERMS,
            method=RepaymentMethod.LEVEL_INSTALMENT,
            overpayment=Overpayment.CREDIT,
            prepayment=Prepayment.SHORTEN,
            rebate_unearned=False,
        )
    )
    for on, amount in ((date(2026, 1, 22), "5000.00"), (date(2026, 1, 25), "3000.00")):
        desk.go_to(on)
        desk.repay(amount)
    desk.go_to(PAID_OFF_ON)
    desk.repay(major(desk.account.timeline(PAID_OFF_ON).payoff))
    desk.go_to(TODAY)
    return desk


def major(amount_minor: int) -> str:
    return f"{amount_minor // 100}.{amount_minor % 100:02}"


def test_what_is_owed_again_after_an_earlier_repayment_makes_the_loan_active() -> None:
    """One yuan of January changes the plan: 15.90 are owed again, aged, and can be paid."""
    desk = paid_off()
    assert desk.account.status is LoanStatus.SETTLED

    events = desk.repay("1.00", BACK_ON)

    line = desk.account.timeline(TODAY)
    assert line.payoff == 1590
    assert desk.account.status is status_on(desk.account, line, TODAY) is LoanStatus.ACTIVE
    [restated] = [event for event in events if isinstance(event, ev.TimelineRestated)]
    assert restated.reopened is True
    assert desk.account.next_transition_on is not None or line.days_past_due
    desk.ask(cmd.PauseDelinquency, from_on=TODAY, until_on=date(2026, 4, 9), reason="asked")
    paid = desk.repay("15.90")
    assert isinstance(paid[-1], ev.LoanSettled)
    assert fold(desk.events) == desk.account


def test_money_that_leaves_nothing_owed_leaves_a_loan_settled() -> None:
    """What comes after the payoff waits as a credit; nothing is reopened."""
    desk = paid_off()

    events = desk.repay("1.00")

    assert desk.account.status is LoanStatus.SETTLED
    assert not any(getattr(event, "reopened", None) is True for event in events)


def test_a_refund_of_money_that_bounces_is_owed_where_overpayments_are_refused() -> None:
    """8.87 too much were paid back before the repayment bounced: whoever pays all off owes them."""
    desk = Desk(
        msgspec.structs.replace(
            TERMS, method=RepaymentMethod.LEVEL_INSTALMENT, prepayment=Prepayment.SHORTEN
        )
    )
    desk.go_to(date(2026, 2, 20))
    [first, *_] = desk.repay("3000.00")
    desk.repay(major(desk.account.timeline(desk.on).payoff))
    desk.go_to(date(2026, 2, 28))
    desk.ask(cmd.ReverseRepayment, repayment_id=first.repayment_id, reason="bounced")
    desk.go_to(date(2026, 3, 14))
    [again, *_] = desk.repay("3000.00", date(2026, 2, 12))
    desk.go_to(date(2026, 4, 7))
    refund = {"amount_minor": 887, "currency": "CNY", "reason": "asked"}
    desk.ask(cmd.RefundCredit, value_on=desk.on, **refund)
    desk.go_to(date(2026, 4, 21))
    desk.ask(cmd.ReverseRepayment, repayment_id=again.repayment_id, reason="bounced")

    line = desk.account.timeline(desk.on)
    assert line.unallocated == -887
    assert line.payoff == 307_182 + 887
    assert line.owes(308_069) and not line.owes(308_070)
    assert evaluate(explain(line, "payoff")) == 308_069
    assert isinstance(desk.repay("3080.69")[-1], ev.LoanSettled)
    assert desk.account.timeline(desk.on).unallocated == 0
