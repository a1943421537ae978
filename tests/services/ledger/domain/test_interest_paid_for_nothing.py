"""Interest that was paid ahead, and that no instalment owes any more, is the borrower's money."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain.books import sub_ledger
from services.ledger.domain.explain import explain
from services.ledger.domain.facts import LoanStatus
from services.ledger.domain.loan_account import fold
from services.ledger.domain.terms import Overpayment
from shared.audit.evaluate import evaluate
from tests.services.ledger.domain.desk import TERMS, Desk

APPROVED = {"reason": "flood", "approved_by": "Li"}
END = date(2027, 1, 5)


def paid_ahead(policy: str = "cash/1") -> Desk:
    """Lend 12,000.00 at 12 %, and take the first 1,120.00 on the day, 120.00 of it interest."""
    desk = Desk(msgspec.structs.replace(TERMS, posting_policy=policy))
    desk.repay("1120.00")
    return desk


def posted(desk: Desk) -> ev.RepaymentPosted:
    """Return the repayment as it was stored."""
    return next(event for event in desk.events if isinstance(event, ev.RepaymentPosted))


def pause(desk: Desk, until_on: date = END) -> list[ev.Fact]:
    """Let no interest be earned from now on."""
    return desk.ask(cmd.PauseInterest, from_on=desk.on, until_on=until_on, **APPROVED)


def forgo(desk: Desk) -> list[ev.Fact]:
    """Let the rest bear no interest."""
    rate = {"rate_annual": Decimal(0)}
    return desk.ask(cmd.RestructureLoan, effective_on=desk.on, **rate, **APPROVED)


@pytest.mark.parametrize("policy", ["cash/1", "accrual/1"])
@pytest.mark.parametrize(("change", "earned"), [(pause, 1_600), (forgo, 2_000)])
def test_it_pays_what_is_due_next(policy: str, change: object, earned: int) -> None:
    """
    From 10 January on nothing is earned: of 120.00 four nights, or five, were.

    money of 5 January | before                      | after a new rate of zero on the tenth
    interest of 1      |   120.00                    |    20.00
    principal of 1     | 1,000.00                    | 1,000.00
    principal of 2     |                             |   100.00
    """
    desk = paid_ahead(policy)
    desk.go_to(date(2026, 1, 10))

    events = change(desk)

    line = desk.account.timeline(desk.on)
    slots = [(str(slot.component), slot.amount_minor) for slot in line.allocated("r-3")]
    over = 12_000 - earned
    assert slots == [("INTEREST", earned), ("PRINCIPAL", 100_000), ("PRINCIPAL", over)]
    assert line.payoff == 1_100_000 - over
    postings = {p.account: p.amount_minor for p in events[0].postings}
    interest = "income:interest" if policy == "cash/1" else "assets:interest_receivable"
    assert postings == {interest: over, "loans:principal": -over}
    [restated] = [e for e in events if isinstance(e, ev.TimelineRestated)]
    assert restated.reallocated == ("r-3",)
    assert sub_ledger(line)["loans:principal"] == line.principal_outstanding
    assert evaluate(explain(line, "payoff")) == line.payoff


@pytest.mark.parametrize("overpayment", list(Overpayment))
def test_what_nothing_is_left_to_be_paid_by_is_paid_back(overpayment: Overpayment) -> None:
    """Two instalments: 180.00 of interest and all principal but 100.00 are paid; 80.00 are over."""
    desk = Desk(msgspec.structs.replace(TERMS, instalments=2, overpayment=overpayment))
    desk.repay("6180.00")
    desk.repay("5900.00")
    assert desk.account.timeline(desk.on).payoff == 10_000

    pause(desk)

    line = desk.account.timeline(desk.on)
    assert (line.principal_outstanding, line.unallocated) == (0, 8_000)
    assert desk.account.status is LoanStatus.SETTLED
    money = {"value_on": desk.on, "amount_minor": 8_000, "currency": "CNY"}
    paid_back = desk.ask(cmd.RefundCredit, reason="paid for nothing", **money)
    assert {p.account: p.amount_minor for p in paid_back[0].postings} == {
        "assets:cash": -8_000,
        "liabilities:unallocated": 8_000,
    }


def test_what_later_instalments_owe_is_set_off_as_before() -> None:
    """Half a year without interest: the rest of the 120.00 pays that of the seventh instalment."""
    desk = paid_ahead()
    desk.go_to(date(2026, 1, 10))
    pause(desk, date(2026, 7, 5))

    line = desk.account.timeline(desk.on)
    assert line.allocated("r-3") == posted(desk).allocations
    assert [row.interest_due for row in line.rows[6:8]] == [0, 5_000 - 4_400]
    assert sum(row.unpaid for row in line.rows) == 1_100_000 + 21_000 - 10_400


def test_what_an_earlier_plan_was_paid_comes_back_from_it() -> None:
    """Half the rate, for which 100.00 of 120.00 are paid ahead; then a pause earns none."""
    desk = paid_ahead()
    desk.go_to(date(2026, 1, 10))
    half = {"rate_annual": Decimal("0.06")}
    desk.ask(cmd.RestructureLoan, effective_on=desk.on, **half, **APPROVED)
    assert desk.account.timeline(desk.on).allocated("r-3") == posted(desk).allocations

    pause(desk)

    line = desk.account.timeline(desk.on)
    # The night of the ninth was earned at the old rate; the tenth's counts from the pause on.
    slots = [(str(slot.component), slot.amount_minor) for slot in line.allocated("r-3")]
    assert slots == [("INTEREST", 2_000), ("PRINCIPAL", 100_000), ("PRINCIPAL", 10_000)]
    assert line.payoff == 1_090_000
    assert all(0 <= row.interest_paid <= row.interest_due for row in line.rows)


@pytest.mark.parametrize("change", [pause, forgo])
def test_a_log_of_before_says_what_it_said(change: object) -> None:
    """A pause, or a plan, that was recorded before this was done leaves the interest paid."""
    desk = paid_ahead()
    desk.go_to(date(2026, 1, 10))
    change(desk)
    of_before = [
        msgspec.structs.replace(e, hands_back=msgspec.UNSET)
        if isinstance(e, ev.InterestPaused | ev.TermsRestructured)
        else e
        for e in desk.events
    ]

    line = fold(of_before).timeline(desk.on)

    assert line.allocated("r-3") == posted(desk).allocations
    assert (line.principal_outstanding, line.unallocated) == (1_100_000, 0)
