"""A payout that the bank sends back: the borrower never had it, and the ledger says so."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import msgspec
import pytest

from services.ledger.application.story import story
from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain.books import accrued, sub_ledger
from services.ledger.domain.explain import FIGURES, explain, figures
from services.ledger.domain.facts import LoanStatus
from services.ledger.domain.loan_account import fold
from services.ledger.domain.status import reason_of, status_on
from services.ledger.wire_events import told
from shared.audit.evaluate import evaluate
from tests.services.ledger.domain.desk import TERMS, Desk

APPROVED = {"reason": "account closed", "approved_by": "Li"}
LATE = date(2026, 3, 20)


def lent(policy: str = "cash/1", on: date = LATE) -> Desk:
    """Return 12,000.00 paid out on 2026-01-05, on a later day, nothing repaid."""
    desk = Desk(msgspec.structs.replace(TERMS, posting_policy=policy))
    desk.go_to(on)
    return desk


def send_back(desk: Desk) -> list[ev.Fact]:
    """Let the bank send the payout back."""
    money = {"amount_minor": 1_200_000, "currency": "CNY"}
    return desk.ask(cmd.ReturnDisbursement, value_on=desk.on, **money, **APPROVED)


@pytest.mark.parametrize("policy", ["cash/1", "accrual/1"])
def test_the_journal_takes_the_disbursal_back(policy: str) -> None:
    """
    The postings of both sum to nothing, and a fee charged meanwhile is no income:

        2026-01-05 disbursed   loans:principal  12000.00   assets:cash     -12000.00
        2026-03-20 returned    assets:cash      12000.00   loans:principal -12000.00
    """
    desk = lent(policy)
    fee = {"amount_minor": 3_000, "currency": "CNY", "reason": "opening"}
    charged = desk.ask(cmd.ApplyCharge, value_on=desk.on, **fee)

    back = send_back(desk)[0]

    assert isinstance(back, ev.DisbursementReturned)
    assert back.amount_minor == 1_200_000
    total: dict[str, int] = {}
    for fact in (desk.events[1], charged[0], back):
        assert sum(p.amount_minor for p in fact.postings) == 0
        for posting in fact.postings:
            total[posting.account] = total.get(posting.account, 0) + posting.amount_minor
    assert {p.account: p.amount_minor for p in back.postings}["assets:cash"] == 1_200_000
    assert set(total.values()) == {0}


@pytest.mark.parametrize("policy", ["cash/1", "accrual/1"])
def test_nothing_is_owed_or_earned(policy: str) -> None:
    """43 days late by then, and a plan with interest of its own: all of it ends with the return."""
    desk = lent(policy)
    plan = {"instalments": 6, "first_due_on": date(2026, 4, 20), "effective_on": LATE}
    desk.ask(cmd.RestructureLoan, **plan, **APPROVED)
    send_back(desk)

    for day in (LATE, date(2026, 4, 30), date(2027, 6, 1)):
        line = desk.account.timeline(day)
        assert set(figures(line).values()) == {0}
        assert set(sub_ledger(line).values()) == {0}
        assert set(accrued(line).values()) <= {0}
        assert not any(line.books.values())
        for figure in FIGURES:
            tree = explain(line, figure)
            assert evaluate(tree) == Fraction(0)
            assert "the bank sent the payout back on 2026-03-20" in tree["from"]
    assert desk.account.standing.days_past_due == 0
    assert desk.account.next_transition_on is None
    assert desk.go_to(date(2027, 6, 1)) == []


def test_the_loan_is_cancelled_from_that_day_on() -> None:
    """The days before stay as they were known; no settlement is said, for nobody paid."""
    desk = lent()
    before = figures(desk.account.timeline(date(2026, 3, 19)))
    done = send_back(desk)

    assert desk.account.status is LoanStatus.CANCELLED
    assert reason_of(desk.account.status) == "PAYOUT_RETURNED"
    assert [
        status_on(desk.account, desk.account.timeline(on), on)
        for on in (date(2026, 1, 4), date(2026, 3, 19), LATE, date(2027, 6, 1))
    ] == ["OPENED", "ACTIVE", "CANCELLED", "CANCELLED"]
    assert figures(desk.account.timeline(date(2026, 3, 19))) == before
    names = [name for fact in done for name, _ in told(fact)]
    assert names[0] == "DISBURSEMENT_RETURNED"
    assert "CURED" in names
    assert "SETTLED" not in names
    assert fold(desk.events) == desk.account


def test_a_loan_in_parts_comes_back_whole() -> None:
    """6,000.00 went out, 6,000.00 comes back; what was never paid out is nobody's."""
    desk = Desk(msgspec.structs.replace(TERMS, instalments=6), part="6000.00", parts=2)
    desk.ask(
        cmd.ReturnDisbursement, value_on=desk.on, amount_minor=600_000, currency="CNY", **APPROVED
    )

    assert desk.account.status is LoanStatus.CANCELLED
    assert not any(desk.account.timeline(desk.on).books.values())


def test_a_repayment_is_taken_back_first() -> None:
    """With the debit returned as well, nobody has paid on the loan."""
    desk = lent()
    paid = desk.repay("10.00")[0]
    desk.ask(cmd.ReverseRepayment, repayment_id=paid.repayment_id, reason="returned")
    send_back(desk)

    assert desk.account.status is LoanStatus.CANCELLED
    assert not any(desk.account.timeline(desk.on).books.values())


def test_the_page_says_so() -> None:
    """An auditor reads what came back and when; on the day before nothing of it is known."""
    desk = lent()
    send_back(desk)
    page, earlier = (
        story("L-1", desk.account.timeline(on), desk.events) for on in (LATE, date(2026, 3, 19))
    )

    assert "The bank sent the payout of 12,000.00 back on 2026-03-20." in page
    assert "DisbursementReturned" in page
    assert "The bank sent" not in earlier
