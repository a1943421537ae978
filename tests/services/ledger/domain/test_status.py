"""A loan's status on any date, not only today's."""

from __future__ import annotations

from datetime import date

from hypothesis import given, settings

from services.ledger.domain import commands as cmd
from services.ledger.domain.facts import LoanStatus
from services.ledger.domain.status import status_on
from services.ledger.domain.terms import Terms
from tests.services.ledger.domain.desk import Desk
from tests.services.ledger.domain.lives import ACTS, STARTS_ON, TERMS, act, examples


def status(desk: Desk, on: date) -> LoanStatus:
    """Return the status on a date, as known now."""
    return status_on(desk.account, desk.account.timeline(on), on)


def test_a_loan_written_off_was_active_before() -> None:
    """An old date shows what the loan was on it."""
    desk = Desk()
    desk.go_to(date(2026, 6, 1))
    desk.ask(cmd.ChargeOffLoan, effective_on=desk.on, reason="no hope")
    desk.go_to(date(2026, 7, 1))
    off = {"effective_on": desk.on, "reason": "no estate", "approved_by": "Li"}
    desk.ask(cmd.WriteOffLoan, **off)

    assert [
        status(desk, on)
        for on in (
            date(2026, 1, 4),
            date(2026, 1, 5),
            date(2026, 5, 31),
            date(2026, 6, 1),
            date(2026, 6, 30),
            date(2026, 7, 1),
        )
    ] == ["OPENED", "ACTIVE", "ACTIVE", "CHARGED_OFF", "CHARGED_OFF", "WRITTEN_OFF"]


def test_a_recovery_taken_back_leaves_the_loan_charged_off() -> None:
    """What was recovered in full and returned is owed again, off the books as before."""
    desk = Desk()
    desk.go_to(date(2026, 6, 1))
    desk.ask(cmd.ChargeOffLoan, effective_on=desk.on, reason="no hope")
    owed = desk.account.timeline(desk.on).payoff
    paid = {"value_on": desk.on, "amount_minor": owed, "currency": "CNY"}
    desk.ask(cmd.PostRecovery, **paid)
    assert desk.account.status is LoanStatus.SETTLED

    desk.ask(cmd.ReverseRepayment, repayment_id=f"r-{desk.count}", reason="returned")
    assert desk.account.status is LoanStatus.CHARGED_OFF


def test_a_settled_loan_is_settled_from_the_value_date() -> None:
    """Money that counts earlier settles earlier."""
    desk = Desk()
    desk.go_to(date(2026, 1, 20))
    owed = desk.account.timeline(date(2026, 1, 10)).payoff
    paid = {"value_on": date(2026, 1, 10), "amount_minor": owed, "currency": "CNY"}
    desk.ask(cmd.PostRepayment, **paid)

    assert status(desk, date(2026, 1, 9)) is LoanStatus.ACTIVE
    assert status(desk, date(2026, 1, 10)) is LoanStatus.SETTLED


def test_interest_of_an_earlier_plan_is_let_go_too() -> None:
    """A new plan carried 280.00 over; settled before its first due date, none of it is owed."""
    desk = Desk()
    desk.go_to(date(2026, 3, 20))
    agreed = {"reason": "hardship", "approved_by": "Li"}
    plan = {"instalments": 6, "first_due_on": date(2026, 4, 20), "effective_on": desk.on}
    desk.ask(cmd.RestructureLoan, **plan, **agreed)
    assert desk.account.timeline(desk.on).owed().interest == 28_000
    money = {"value_on": desk.on, "amount_minor": 5, "currency": "CNY"}
    desk.ask(cmd.SettleLoan, **money, **agreed)

    assert desk.account.status is LoanStatus.SETTLED
    for day in (desk.on, date(2026, 4, 1), date(2026, 4, 20), date(2026, 6, 1)):
        assert desk.account.timeline(day).payoff == 0


@settings(max_examples=examples(120), deadline=None)
@given(terms=TERMS, acts=ACTS)
def test_the_status_on_the_business_date_is_the_accounts(
    terms: Terms, acts: list[tuple[str, int, int]]
) -> None:
    """What the events assign and what the timeline shows agree after every command."""
    desk = Desk(terms, STARTS_ON)
    for what, days, share in acts:
        act(desk, what, days, share)
        assert status(desk, desk.on) is desk.account.status
