"""A fee on principal that the borrower pays before it is due."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from services.ledger.domain import commands as cmd
from services.ledger.domain import refusals as no
from services.ledger.domain.explain import explain
from services.ledger.domain.facts import LoanStatus
from services.ledger.domain.terms import Prepayment, Terms
from services.ledger.domain.waterfall import Component, PaymentSource
from shared.audit.evaluate import evaluate
from shared.runtime.requests import an_id
from tests.services.ledger.domain.desk import TERMS, Desk

TWO_PERCENT = msgspec.structs.replace(TERMS, prepayment_fee_rate=Decimal("0.02"))
"""12,000.00 in twelve equal parts of principal from 5 January, 2 % on what is paid early."""


def _on(day: date, terms: Terms = TWO_PERCENT) -> Desk:
    desk = Desk(terms)
    desk.go_to(day)
    return desk


def test_the_payoff_includes_the_fee_and_settles_the_loan() -> None:
    """After the first instalment 11,000.00 are paid early: 220.00."""
    desk = _on(date(2026, 2, 5))
    desk.repay("1120.00")
    line = desk.account.timeline(desk.on)
    assert (line.payoff, line.principal_outstanding) == (1_122_000, 1_100_000)
    assert evaluate(explain(line, "payoff")) == line.payoff

    desk.ask(cmd.PostRepayment, value_on=desk.on, amount_minor=1_122_000, currency="CNY")
    assert desk.account.status is LoanStatus.SETTLED
    slots = desk.account.timeline(desk.on).allocated(f"r-{desk.count}")
    fees = sum(slot.amount_minor for slot in slots if slot.component is Component.FEE)
    assert fees == 22_000


@pytest.mark.parametrize("prepayment", [Prepayment.HOLD, Prepayment.REDUCE, Prepayment.SHORTEN])
def test_a_part_paid_early_is_charged_on_that_part(prepayment: Prepayment) -> None:
    """The fee of a partial prepayment is owed at once; the principal falls by the whole of it."""
    desk = _on(date(2026, 2, 5), msgspec.structs.replace(TWO_PERCENT, prepayment=prepayment))
    desk.repay("1120.00")
    desk.repay("3000.00")

    line = desk.account.timeline(desk.on)
    ahead = 1_100_000 - line.principal_outstanding
    assert ahead > 0
    assert line.charges_outstanding == ahead * 2 // 100


def test_what_falls_due_costs_nothing() -> None:
    """Nor what is late."""
    desk = _on(date(2026, 3, 20))
    desk.repay("2240.00")
    assert desk.account.timeline(desk.on).charges_outstanding == 0


def test_taking_the_repayment_back_takes_the_fee_back() -> None:
    """The fee is derived from the repayment, and goes with it."""
    desk = _on(date(2026, 2, 5))
    desk.repay("3000.00")
    assert desk.account.timeline(desk.on).charges_outstanding > 0
    desk.ask(cmd.ReverseRepayment, repayment_id=f"r-{desk.count}", reason="returned")
    assert desk.account.timeline(desk.on).charges_outstanding == 0


def test_only_the_borrower_pays_for_paying_early() -> None:
    """A merchant's refund settles without the fee, and not with it on top."""
    refund = {"value_on": date(2026, 2, 5), "currency": "CNY"}
    merchant = PaymentSource.MERCHANT_REFUND
    desk = _on(date(2026, 2, 5))
    desk.repay("1120.00")
    with pytest.raises(no.RepaymentAbovePayoff):
        desk.ask(cmd.PostRepayment, amount_minor=1_100_001, source=merchant, **refund)
    desk.ask(cmd.PostRepayment, amount_minor=1_100_000, source=merchant, **refund)
    assert desk.account.status is LoanStatus.SETTLED


def test_a_charged_off_loan_asks_no_fee() -> None:
    """Nothing is paid early any more."""
    desk = _on(date(2026, 6, 1))
    before = desk.account.timeline(desk.on).payoff
    desk.ask(cmd.ChargeOffLoan, effective_on=desk.on, reason="no hope")
    after = desk.account.timeline(desk.on).payoff
    assert before - after == 800_000 * 2 // 100


@pytest.mark.parametrize("prepayment", [Prepayment.HOLD, Prepayment.REDUCE, Prepayment.SHORTEN])
def test_a_cent_below_the_payoff_leaves_a_cent(prepayment: Prepayment) -> None:
    """What the principal leaves over pays the fee, and does not wait beside it."""
    desk = _on(date(2026, 1, 20), msgspec.structs.replace(TWO_PERCENT, prepayment=prepayment))
    payoff = desk.account.timeline(desk.on).payoff
    paid = {"value_on": desk.on, "amount_minor": payoff - 1, "currency": "CNY"}
    desk.ask(cmd.PostRepayment, **paid)

    line = desk.account.timeline(desk.on)
    assert line.unallocated == 0
    if prepayment is not Prepayment.HOLD:
        assert line.payoff == 1


def test_the_fee_can_be_waived() -> None:
    """Under the id that it has in the explanation."""
    desk = _on(date(2026, 2, 5))
    desk.repay("3000.00")
    [charge] = desk.account.timeline(desk.on).loan_charges
    desk.ask(cmd.WaiveCharge, charge_id=an_id(charge.fact_id, "charge_id"), value_on=desk.on, **WHY)
    assert desk.account.timeline(desk.on).charges_outstanding == 0


WHY = {"reason": "goodwill", "approved_by": "Li"}
