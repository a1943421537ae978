"""Money of before a charge-off that was told after it: a repayment, as it would have been."""

from __future__ import annotations

from collections import Counter
from datetime import date

import msgspec
import pytest

from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain.books import sub_ledger
from services.ledger.domain.facts import LoanStatus
from services.ledger.domain.refusals import DateOutOfOrder, LoanIsChargedOff
from services.ledger.domain.terms import Overpayment
from tests.services.ledger.domain.desk import TERMS, Desk

OFF = date(2026, 8, 10)


def charged_off(policy: str = "cash/1", on: date = OFF) -> Desk:
    """Lend 12,000.00 at 12 % over twelve months, never paid, and charge it off."""
    desk = Desk(msgspec.structs.replace(TERMS, posting_policy=policy))
    desk.go_to(on)
    desk.ask(cmd.ChargeOffLoan, effective_on=on, reason="180 days past due")
    return desk


def recover(desk: Desk, amount_minor: int, on: date) -> list[ev.Fact]:
    """Take a recovery."""
    return desk.ask(cmd.PostRecovery, value_on=on, amount_minor=amount_minor, currency="CNY")


def journal(events: list[ev.Fact]) -> dict[str, int]:
    """Return what events moved, by account; minor units."""
    moved: Counter[str] = Counter()
    for event in events:
        for posting in getattr(event, "postings", ()):
            moved[posting.account] += posting.amount_minor
    return {name: amount for name, amount in moved.items() if amount}


def test_it_lowers_what_was_charged_off() -> None:
    """
    The bank says on 1 September: 1,120.00 came on 5 February; 500.00 were recovered in August.

    account             | when told | why
    assets:cash         |  1,120.00 |
    income:interest     |   -120.00 | of the first instalment, paid on its due date
    expense:charge_offs | -1,000.00 | its principal was not lost
    """
    desk = charged_off()
    before = desk.account.timeline(OFF)
    desk.go_to(date(2026, 8, 20))
    recovered = recover(desk, 50_000, desk.on)
    desk.go_to(date(2026, 9, 1))

    events = desk.repay("1120.00", date(2026, 2, 5))

    assert journal(events) == {
        "assets:cash": 112_000,
        "income:interest": -12_000,
        "expense:charge_offs": -100_000,
    }
    posted, restated = events[0], events[1]
    assert [(s.instalment, str(s.component), s.amount_minor) for s in posted.allocations] == [
        (1, "INTEREST", 12_000),
        (1, "PRINCIPAL", 100_000),
    ]
    assert isinstance(restated, ev.TimelineRestated)
    told = (restated.charged_off_before_minor, restated.charged_off_after_minor)
    assert told == (1_200_000, 1_100_000)
    # The recovery of August, of the first instalment then, is of the second now.
    assert restated.reallocated == (recovered[0].repayment_id,)
    assert before.charged_off_principal == 1_200_000
    assert desk.account.timeline(OFF).charged_off_principal == 1_100_000
    assert desk.account.status is LoanStatus.CHARGED_OFF


# looked at | days past due, as told before and after; the oldest due date of each
LATENESS = """
2026-02-05 |   0    0 | -           -
2026-02-20 |  15    0 | 2026-02-05  -
2026-03-20 |  43   15 | 2026-02-05  2026-03-05
2026-08-10 | 186  158 | 2026-02-05  2026-03-05
2026-09-01 | 208  180 | 2026-02-05  2026-03-05
"""


def test_lateness_before_the_charge_off_is_mended() -> None:
    """Every day since the value date is what it would have been; what was told is superseded."""
    desk = charged_off()
    desk.go_to(date(2026, 9, 1))
    then = desk.account
    told = [e for e in desk.events if isinstance(e, ev.TransitionRecorded)]
    desk.repay("1120.00", date(2026, 2, 5))

    for row in LATENESS.strip().splitlines():
        on, days, oldest = row.split("|")
        lines = [a.timeline(date.fromisoformat(on.strip())) for a in (then, desk.account)]
        assert [line.days_past_due for line in lines] == [int(each) for each in days.split()]
        due = [next((str(r.due_on) for r in line.overdue), "-") for line in lines]
        assert due == oldest.split()
    [restated] = [e for e in desk.events if isinstance(e, ev.TimelineRestated)]
    after = [e for e in told if e.effective_on > date(2026, 2, 5)]
    assert len(restated.superseded_versions) == len(after)
    assert restated.days_past_due_max_after < restated.days_past_due_max_before


@pytest.mark.parametrize("policy", ["cash/1", "accrual/1"])
def test_it_leaves_the_loan_that_would_have_been(policy: str) -> None:
    """Told late or in time, the books, the rows and what is owed are the same, and tie out."""
    late, timely = charged_off(policy), Desk(msgspec.structs.replace(TERMS, posting_policy=policy))
    timely.go_to(date(2026, 3, 20))
    timely.repay("2000.00")
    timely.go_to(OFF)
    timely.ask(cmd.ChargeOffLoan, effective_on=OFF, reason="lost")
    late.repay("2000.00", date(2026, 3, 20))
    for desk in (late, timely):
        desk.go_to(date(2026, 9, 1))
        recover(desk, 70_000, desk.on)

    lines = [desk.account.timeline(desk.on) for desk in (late, timely)]
    assert lines[0].rows == lines[1].rows
    assert lines[0].books == lines[1].books
    assert lines[0].payoff == lines[1].payoff
    assert journal(late.events) == journal(timely.events)
    assert sum(journal(late.events).values()) == 0
    held = sub_ledger(lines[0])
    assert {name: journal(late.events).get(name, 0) for name in held} == held
    assert late.account.standing == timely.account.standing


def test_money_of_the_day_before_and_of_the_day_itself() -> None:
    """
    The charge-off is of 10 August; within that day it came first.

    value date  | as a repayment      | as a recovery
    2026-08-09  | taken               | DATE_OUT_OF_ORDER
    2026-08-10  | LOAN_IS_CHARGED_OFF | taken
    """
    desk = charged_off()
    desk.go_to(date(2026, 8, 12))
    with pytest.raises(LoanIsChargedOff) as refused:
        desk.repay("10.00", OFF)
    assert refused.value.field == "value_on"
    assert refused.value.expected == "before 2026-08-10; from then on PostRecovery"
    with pytest.raises(DateOutOfOrder) as early:
        recover(desk, 1_000, date(2026, 8, 9))
    assert early.value.expected == "from 2026-08-10; before it PostRepayment"

    assert isinstance(desk.repay("10.00", date(2026, 8, 9))[0], ev.RepaymentPosted)
    assert isinstance(recover(desk, 1_000, OFF)[0], ev.RecoveryPosted)


@pytest.mark.parametrize("overpayment", list(Overpayment))
def test_it_can_have_been_all_of_it(overpayment: Overpayment) -> None:
    """Everything was paid the day before: nothing is lost, and the loan is settled."""
    desk = Desk(msgspec.structs.replace(TERMS, overpayment=overpayment))
    desk.go_to(OFF)
    desk.ask(cmd.ChargeOffLoan, effective_on=OFF, reason="lost")
    owed = desk.account.timeline(date(2026, 8, 9)).payoff
    desk.go_to(date(2026, 9, 1))

    events = desk.ask(
        cmd.PostRepayment, value_on=date(2026, 8, 9), amount_minor=owed, currency="CNY"
    )

    assert desk.account.status is LoanStatus.SETTLED
    assert desk.account.timeline(desk.on).payoff == 0
    assert journal(events)["expense:charge_offs"] == -1_200_000
    assert desk.account.timeline(OFF).charged_off_principal == 0


def test_a_debit_that_came_back_after_the_charge_off_raises_it() -> None:
    """The repayment of February is taken back in September: its principal was lost as well."""
    desk = Desk()
    desk.go_to(date(2026, 2, 5))
    desk.repay("1120.00")
    desk.go_to(OFF)
    desk.ask(cmd.ChargeOffLoan, effective_on=OFF, reason="lost")
    desk.go_to(date(2026, 9, 1))

    events = desk.ask(cmd.ReverseRepayment, repayment_id="r-4", reason="debit returned")

    [restated] = [e for e in events if isinstance(e, ev.TimelineRestated)]
    told = (restated.charged_off_before_minor, restated.charged_off_after_minor)
    assert told == (1_100_000, 1_200_000)


def test_taking_it_back_or_the_charge_off_undoes_just_that() -> None:
    """The charged-off amount goes back up with a reversal; without the charge-off none is told."""
    desk = charged_off()
    before = desk.account.timeline(OFF)
    paid = desk.repay("1120.00", date(2026, 2, 5))[0]
    another = {"repayment_id": paid.repayment_id, "reason": "another's money"}
    desk.ask(cmd.ReverseRepayment, **another)
    assert desk.account.timeline(OFF).books == before.books

    desk.repay("1120.00", date(2026, 2, 5))
    events = desk.ask(cmd.UndoChargeOff, reason="mistake", approved_by="Li")
    restated = [e for e in events if isinstance(e, ev.TimelineRestated)]
    assert all(e.charged_off_before_minor is msgspec.UNSET for e in restated)
    assert desk.account.timeline(OFF).principal_outstanding == 1_100_000
