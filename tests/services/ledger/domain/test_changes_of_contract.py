"""Changes of the contract: each with its undo where the business has one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from services.ledger.domain import commands as cmd
from services.ledger.domain import refusals as no
from services.ledger.domain.explain import figures
from services.ledger.domain.facts import LoanStatus
from services.ledger.domain.frames import due_dates
from services.ledger.domain.terms import Overpayment, RepaymentMethod, ShortMonth
from shared.kernel.calendars import BusinessDayRule
from shared.kernel.dates import DayCount
from tests.services.ledger.domain.desk import TERMS, Desk

APPROVED = {"reason": "reviewed", "approved_by": "Li"}


def charged_off() -> Desk:
    """Return a loan charged off on 2026-06-10, nothing paid."""
    desk = Desk()
    desk.go_to(date(2026, 6, 10))
    desk.ask(cmd.ChargeOffLoan, effective_on=desk.on, reason="125 days past due")
    return desk


def test_a_charge_off_is_undone() -> None:
    """Back on the books, the journal of both sums to nothing."""
    desk = charged_off()
    before = figures(desk.account.timeline(date(2026, 6, 9)))

    undone = desk.ask(cmd.UndoChargeOff, **APPROVED)

    assert desk.account.status is LoanStatus.ACTIVE
    assert {p.account: p.amount_minor for p in undone[0].postings} == {
        "expense:charge_offs": -1_200_000,
        "loans:principal": 1_200_000,
    }
    assert figures(desk.account.timeline(date(2026, 6, 9))) == before


def test_a_charge_off_with_recoveries_stays() -> None:
    """Money recovered belongs to the charge-off; undo is refused until it is taken back."""
    desk = charged_off()
    desk.ask(cmd.PostRecovery, value_on=desk.on, amount_minor=5_000, currency="CNY")

    with pytest.raises(no.RecoveriesPosted):
        desk.ask(cmd.UndoChargeOff, **APPROVED)


def test_a_debt_is_written_off_after_its_charge_off() -> None:
    """Nothing is owed any more, nothing is late; an active loan cannot be written off."""
    desk = charged_off()
    desk.ask(cmd.WriteOffLoan, effective_on=desk.on, **APPROVED)

    assert desk.account.status is LoanStatus.WRITTEN_OFF
    assert desk.account.timeline(desk.on).payoff == 0
    assert desk.account.standing.days_past_due == 0
    with pytest.raises(no.LoanIsSettled):
        desk.repay("1.00")
    active = Desk()
    with pytest.raises(no.LoanNotChargedOff):
        active.ask(cmd.WriteOffLoan, effective_on=active.on, **APPROVED)


@pytest.mark.parametrize("amount", [800_000, 0])
def test_a_settlement_lets_the_rest_go_and_can_be_undone(amount: int) -> None:
    """8,000.00 for everything owed; returned by the bank, the whole debt is back."""
    desk = Desk()
    desk.go_to(date(2026, 5, 20))
    before = figures(desk.account.timeline(desk.on))
    money = {"value_on": desk.on, "amount_minor": amount, "currency": "CNY"}

    done = desk.ask(cmd.SettleLoan, **money, **APPROVED)

    assert done[0].forgiven_minor == before["payoff"] - amount
    assert sum(p.amount_minor for p in done[0].postings) == 0
    assert desk.account.status is LoanStatus.SETTLED
    assert desk.account.timeline(desk.on).payoff == 0
    desk.ask(cmd.ReverseRepayment, repayment_id=done[0].repayment_id, reason="returned")
    assert figures(desk.account.timeline(desk.on)) == before
    assert desk.account.status is LoanStatus.ACTIVE


def test_what_was_let_go_does_not_come_back() -> None:
    """A charge after a settlement opens the loan again; a later pause of interest adds no debt."""
    desk = Desk()
    desk.go_to(date(2026, 5, 20))
    money = {"value_on": desk.on, "currency": "CNY"}
    desk.ask(cmd.SettleLoan, amount_minor=800_000, **money, **APPROVED)
    desk.ask(cmd.ApplyCharge, amount_minor=500, reason="copy", **money)
    desk.ask(cmd.PauseInterest, from_on=desk.on, until_on=date(2026, 6, 20), **APPROVED)

    line = desk.account.timeline(desk.on)
    assert (line.payoff, line.principal_outstanding) == (500, 0)


def test_a_loan_in_parts() -> None:
    """6,000.00 now and 6,000.00 in March; the second part lifts the instalments from March on."""
    desk = Desk(msgspec.structs.replace(TERMS, instalments=6), part="6000.00", parts=2)
    desk.go_to(date(2026, 3, 10))
    money = {"amount_minor": 600_000, "currency": "CNY"}
    desk.ask(cmd.DisburseLoan, value_on=desk.on, **money)

    dues = [row.principal_due for row in desk.account.timeline(desk.on).rows]
    assert dues[:2] == [100_000, 100_000]
    assert dues[2:] == [250_000] * 4
    with pytest.raises(no.DisbursementAbovePrincipal):
        desk.ask(cmd.DisburseLoan, value_on=desk.on, **money)


def test_a_second_part_lifts_a_level_loan() -> None:
    """100.00 at 9.4822 %, as much again on 15 February: 17.13 once, then 37.53 five times."""
    terms = msgspec.structs.replace(
        TERMS,
        method=RepaymentMethod.LEVEL_INSTALMENT,
        principal_minor=20_000,
        rate_annual=Decimal("0.094822"),
        day_count=DayCount.PERIOD_360,
        instalments=6,
        first_due_on=date(2024, 2, 1),
        even_out_last=True,
    )
    desk = Desk(terms, date(2024, 1, 1), part="100.00", parts=2)
    desk.go_to(date(2024, 2, 15))
    desk.ask(cmd.DisburseLoan, value_on=desk.on, amount_minor=10_000, currency="CNY")

    rows = desk.account.timeline(desk.on).rows
    assert [r.principal_due + r.interest_due for r in rows] == [1713, *[3753] * 5]
    assert (rows[1].interest_due, rows[1].principal_due) == (107, 3646)
    assert sum(r.principal_due for r in rows) == 20_000


def test_an_interest_holiday() -> None:
    """From 5 March to 4 April no night earns; the level of the other instalments stays."""
    desk = Desk()
    desk.go_to(date(2026, 3, 5))
    before = [r.interest_due for r in desk.account.timeline(desk.on).rows]
    pause = {"from_on": date(2026, 3, 6), "until_on": date(2026, 4, 5)}
    desk.ask(cmd.PauseInterest, **pause, **APPROVED)

    after = [r.interest_due for r in desk.account.timeline(desk.on).rows]
    assert after[2] == 0
    assert after[:2] + after[3:] == before[:2] + before[3:]


def test_credit_pays_what_becomes_owed() -> None:
    """Money above the payoff waits as a credit balance; a later charge takes from it."""
    desk = Desk(msgspec.structs.replace(TERMS, overpayment=Overpayment.CREDIT))
    desk.repay("13000.00")
    credit = desk.account.timeline(desk.on).unallocated
    charge = {"value_on": desk.on, "amount_minor": 2_000, "currency": "CNY", "reason": "copy"}
    desk.repay("5.00")

    desk.ask(cmd.ApplyCharge, **charge)

    line = desk.account.timeline(desk.on)
    assert credit == 100_000
    assert (line.unallocated, line.charges_outstanding) == (98_500, 0)
    with pytest.raises(no.CreditBelowRefund):
        desk.ask(
            cmd.RefundCredit, value_on=desk.on, amount_minor=98_501, currency="CNY", reason="asked"
        )


def test_due_dates_on_business_days() -> None:
    """5 April 2026 is Easter Sunday: due on Tuesday, and the period ends there."""
    terms = msgspec.structs.replace(
        TERMS, calendar="target/1", business_day_rule=BusinessDayRule.FOLLOWING
    )
    desk = Desk(terms)

    row = desk.account.timeline(desk.on).rows[2]
    assert row.due_on == date(2026, 4, 7)
    desk.go_to(date(2026, 4, 7))
    assert desk.account.standing.instalments_overdue == 2


def test_a_change_of_rate_keeps_the_day_before_business_days_moved_it() -> None:
    """Due on the last day, moved to Monday 2 February: the next one is still a last day."""
    terms = msgspec.structs.replace(
        TERMS,
        calendar="target/1",
        business_day_rule=BusinessDayRule.FOLLOWING,
        due_day=31,
        first_due_on=date(2026, 1, 31),
    )
    desk = Desk(terms)
    before = [row.due_on for row in desk.account.timeline(desk.on).rows]
    assert before[0] == date(2026, 2, 2)

    desk.ask(cmd.RestructureLoan, effective_on=desk.on, rate_annual=Decimal("0.05"), **APPROVED)
    assert [row.due_on for row in desk.account.timeline(desk.on).rows] == before


@pytest.mark.parametrize(
    ("short_month", "first_due_on", "wanted"),
    [
        (ShortMonth.LAST_DAY, date(2026, 2, 28), ["02-28", "03-31", "04-30", "05-31", "06-30"]),
        (ShortMonth.FIRST_OF_NEXT, date(2026, 3, 1), ["03-01", "03-31", "05-01", "05-31", "07-01"]),
    ],
)
def test_due_dates_in_short_months(
    short_month: ShortMonth, first_due_on: date, wanted: list[str]
) -> None:
    """Due on the 31st: in a month without one on its last day, or on the first of the next."""
    terms = msgspec.structs.replace(
        TERMS, instalments=5, due_day=31, first_due_on=first_due_on, short_month=short_month
    )
    assert [f"{day:%m-%d}" for day in due_dates(terms)] == wanted

    desk = Desk(terms)
    desk.go_to(date(2026, 3, 10))
    desk.ask(cmd.RestructureLoan, effective_on=desk.on, rate_annual=Decimal("0.05"), **APPROVED)
    kept = [f"{row.due_on:%m-%d}" for row in desk.account.timeline(desk.on).rows]
    assert kept == wanted, "a change of the rate alone moves no due date"


def test_a_plan_that_ends_before_what_was_paid_ahead() -> None:
    """Rows stay in the order of their due dates, so that the oldest unpaid one is found."""
    desk = Desk()
    desk.repay("10.00")
    plan = {"instalments": 1, "first_due_on": date(2026, 1, 20), "rate_annual": Decimal("0.05")}
    desk.ask(cmd.RestructureLoan, effective_on=desk.on, **plan, **APPROVED)
    charge = {"amount_minor": 500, "currency": "CNY", "reason": "copy"}
    desk.ask(cmd.ApplyCharge, value_on=desk.on, due_on=date(2026, 2, 1), **charge)
    desk.go_to(date(2026, 2, 10))
    desk.go_to(date(2026, 2, 20))

    rows = desk.account.timeline(desk.on).rows
    assert [row.due_on for row in rows] == sorted(row.due_on for row in rows)
    assert desk.account.standing.buckets["m"] == "M2"
    assert desk.account.standing.oldest_due_on == date(2026, 1, 20)


def test_terms_that_contradict_themselves() -> None:
    """A calendar year without data, a period given twice, unknown policies: all refused."""
    wrong = [
        {"calendar": "cn/2025.1", "business_day_rule": BusinessDayRule.FOLLOWING},
        {"days_per_instalment": 14},
        {"calendar": "moon/1", "business_day_rule": BusinessDayRule.FOLLOWING},
        {"cost_ceiling": "none/1"},
        {"short_month": ShortMonth.FIRST_OF_NEXT},
        {"down_payment_rate": Decimal(1)},
    ]
    for terms in wrong:
        with pytest.raises(no.InvalidArgument):
            Desk(msgspec.structs.replace(TERMS, **terms))
