"""A loan sold, a rate changed, income booked when earned: whole loans as tables."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec

from services.ledger.domain import commands as cmd
from services.ledger.domain.books import accrued, sub_ledger
from services.ledger.domain.terms import Prepayment, RepaymentMethod, Restructuring
from services.ledger.domain.waterfall import Component
from tests.services.ledger.domain.desk import TERMS, Desk

APPROVED = {"reason": "reviewed", "approved_by": "Li"}
ACCRUAL = msgspec.structs.replace(TERMS, posting_policy="accrual/1")


def balances(desk: Desk) -> dict[str, int]:
    """Return what the postings made of each account, zeros left out."""
    found: dict[str, int] = {}
    for event in desk.events:
        for posting in getattr(event, "postings", ()):
            found[posting.account] = found.get(posting.account, 0) + posting.amount_minor
    return {name: amount for name, amount in found.items() if amount}


def test_a_sold_loan_is_owed_as_before_to_somebody_else() -> None:
    """Sold at 90 %: the loss is booked once, and what comes in belongs to the buyer."""
    desk = Desk()
    desk.go_to(date(2026, 2, 5))
    before = desk.account.timeline(desk.on).payoff
    desk.ask(
        cmd.TransferLoan,
        effective_on=desk.on,
        creditor_ref="fund-1",
        price_minor=1_080_000,
        currency="CNY",
        **APPROVED,
    )
    after = desk.account.timeline(desk.on)
    desk.repay("1120.00")

    assert after.payoff == before
    assert after.creditor_ref == "fund-1"
    assert balances(desk) == {
        "assets:cash": -1_200_000 + 1_080_000 + 112_000,
        "income:transfers": 120_000,
        "liabilities:creditors": -112_000,
    }


def test_another_rate_leaves_dates_and_number_as_they_are() -> None:
    """From 12 % to 6 % on 5 Feb: eleven instalments on the same days, half the interest."""
    desk = Desk()
    desk.go_to(date(2026, 2, 5))
    desk.repay("1120.00")
    old = [row.due_on for row in desk.account.timeline(desk.on).rows]
    desk.ask(
        cmd.RestructureLoan,
        effective_on=desk.on,
        rate_annual=Decimal("0.06"),
        kind=Restructuring.RATE_CHANGE,
        **APPROVED,
    )
    rows = desk.account.timeline(desk.on).rows

    assert [row.due_on for row in rows] == old
    assert (rows[1].principal_due, rows[1].interest_due) == (100_000, 5_500)


def test_interest_earned_before_a_new_plan_is_owed_after_it() -> None:
    """Fifteen days of interest, 60.00, do not vanish from the payoff when the plan changes."""
    desk = Desk()
    desk.go_to(date(2026, 1, 20))
    before = desk.account.timeline(desk.on).payoff
    desk.ask(cmd.RestructureLoan, effective_on=desk.on, **APPROVED)

    assert before == 1_206_000
    assert desk.account.timeline(desk.on).payoff == before


def test_interest_earned_before_the_principal_was_paid_back_stays_owed() -> None:
    """Principal paid back early and 0.03 of earned interest not: it is owed, then paid."""
    terms = msgspec.structs.replace(
        TERMS,
        principal_minor=100,
        rate_annual=Decimal("0.9"),
        method=RepaymentMethod.LEVEL_INSTALMENT,
        instalments=3,
        first_due_on=date(2026, 3, 8),
        instalment_multiple_minor=100,
        prepayment=Prepayment.SHORTEN,
    )
    desk = Desk(terms)
    desk.go_to(date(2026, 1, 19))
    desk.repay("1.01")
    left = desk.account.timeline(desk.on).payoff
    desk.go_to(date(2026, 3, 22))
    late = desk.account.standing
    desk.repay("0.03")

    assert left == 3
    assert late.arrears_minor == 3
    assert late.buckets["m"] == "M1"
    assert desk.account.status == "SETTLED"


def test_income_is_earned_by_days_and_taken_back_at_charge_off() -> None:
    """12,000.00 at 12 %: 120.00 a month earned, paid or not; a charge-off takes it back."""
    desk = Desk(ACCRUAL)
    desk.go_to(date(2026, 1, 20))
    half = accrued(desk.account.timeline(desk.on))
    desk.go_to(date(2026, 2, 5))
    held = sub_ledger(desk.account.timeline(desk.on))
    desk.repay("1120.00")
    desk.go_to(date(2026, 3, 5))
    month_two = accrued(desk.account.timeline(desk.on))
    desk.ask(cmd.ChargeOffLoan, effective_on=desk.on, reason="fraud")

    assert half == {Component.INTEREST: 6_000, Component.PENALTY: 0}
    assert held["assets:interest_receivable"] == 12_000
    assert month_two[Component.INTEREST] == 12_000 + 11_000
    assert accrued(desk.account.timeline(desk.on))[Component.INTEREST] == 12_000
    assert balances(desk)["assets:interest_receivable"] == -12_000
    assert balances(desk)["expense:charge_offs"] == 1_100_000


def test_a_fee_is_income_when_charged() -> None:
    """Charged 20.00, 5.00 paid, the rest waived: 5.00 of income is left."""
    desk = Desk(ACCRUAL)
    desk.ask(cmd.ApplyCharge, value_on=desk.on, amount_minor=2_000, currency="CNY", reason="late")
    charged = balances(desk)
    desk.repay("5.00")
    charge = next(f.fact_id for f in desk.account.facts)
    desk.ask(cmd.WaiveCharge, charge_id=charge, value_on=desk.on, **APPROVED)

    assert charged["assets:fees_receivable"] == 2_000
    assert balances(desk)["income:fees"] == -500
    assert "assets:fees_receivable" not in balances(desk)
