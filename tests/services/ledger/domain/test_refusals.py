"""Every reason to refuse is provoked, changes nothing, and says whether to try again."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from services.ledger.domain import commands as cmd
from services.ledger.domain import refusals as no
from services.ledger.domain.ceilings import ceiling_rate
from services.ledger.domain.decide import decide
from services.ledger.domain.explain import explain
from services.ledger.domain.policies import CN_CONSUMER
from services.ledger.domain.terms import Overpayment, RepaymentMethod
from shared.kernel.errors import LendingError
from tests.services.ledger.domain.desk import NOW, TERMS, Desk

TODAY, LATER = date(2026, 2, 10), date(2026, 3, 10)
APPROVED = {"reason": "reviewed", "approved_by": "Li"}
DATES = (date(2026, 2, 5), date(2026, 3, 5))
AGREED = replace(
    TERMS,
    method=RepaymentMethod.AGREED,
    instalments=2,
    due_dates=DATES,
    agreed=((600_000, 100), (600_000, 100)),
)
PLAN = {"instalments": 6, "first_due_on": LATER, "rate_annual": Decimal("0.05"), **APPROVED}


def cny(amount: int, on: date = TODAY, currency: str = "CNY") -> dict[str, Any]:
    """Return an amount as commands take it."""
    return {"value_on": on, "amount_minor": amount, "currency": currency}


def active() -> Desk:
    """Return a loan five days late, with one repayment and one charge."""
    desk = Desk()
    desk.go_to(TODAY)
    desk.repay("10.00")
    return desk


def lost() -> Desk:
    """Return a loan charged off."""
    desk = active()
    desk.ask(cmd.ChargeOffLoan, effective_on=TODAY, reason="lost")
    return desk


def settled() -> Desk:
    """Return a loan paid in full."""
    desk = active()
    payoff = desk.account.timeline(TODAY).payoff
    desk.ask(cmd.PostRepayment, **cny(payoff))
    return desk


def opened() -> Desk:
    """Return a loan that was not paid out."""
    desk = Desk()
    desk.account = None
    desk.ask(cmd.OpenLoan, borrower_ref="B", product="p", terms=TERMS)
    return desk


def released() -> Desk:
    """Return a loan charged off and written off."""
    desk = lost()
    desk.ask(cmd.WriteOffLoan, effective_on=TODAY, **APPROVED)
    return desk


def refunded() -> Desk:
    """Return a loan whose credit of 5 January was paid back, and paid in again today."""
    desk = Desk(replace(TERMS, overpayment=Overpayment.CREDIT))
    desk.repay("19980.00")
    desk.go_to(date(2026, 1, 20))
    desk.ask(cmd.RefundCredit, **cny(798_000, desk.on), reason="asked")
    desk.go_to(TODAY)
    desk.repay("7980.00")
    return desk


def nearly_paid() -> Desk:
    """Return a loan of which 1,000.00 are left today."""
    desk = Desk()
    desk.go_to(TODAY)
    desk.repay("11000.00")
    return desk


def unknown() -> Desk:
    """Return a desk without a loan."""
    desk = Desk()
    desk.account = None
    return desk


def sold() -> Desk:
    """Return a loan that was sold."""
    desk = active()
    desk.ask(cmd.TransferLoan, **SALE)
    return desk


def untouched() -> Desk:
    """Return a loan that was paid out, and nothing else."""
    desk = Desk()
    desk.on = TODAY
    return desk


def returned() -> Desk:
    """Return a loan whose payout the bank sent back."""
    desk = untouched()
    desk.ask(cmd.ReturnDisbursement, **cny(1_200_000), **APPROVED)
    return desk


SALE = {
    "effective_on": TODAY,
    "creditor_ref": "fund",
    "price_minor": 5,
    "currency": "CNY",
    **APPROVED,
}
PAUSE = {"from_on": TODAY, "until_on": date(2026, 2, 1), "reason": "flood"}
JUDGED = {"effective_on": TODAY, "policy": CN_CONSUMER, **APPROVED}
REFUSED = [
    # given | asked | with | refused as
    (
        opened,
        cmd.OpenLoan,
        {"borrower_ref": "B", "product": "p", "terms": TERMS},
        "LoanAlreadyOpen",
    ),
    (active, cmd.DisburseLoan, cny(1_200_000), "LoanAlreadyDisbursed"),
    (opened, cmd.DisburseLoan, cny(5, date(2026, 1, 5)), "AmountNotPrincipal"),
    (opened, cmd.PostRepayment, cny(5, date(2026, 1, 5)), "LoanNotActive"),
    (active, cmd.PostRepayment, cny(0), "RepaymentNotPositive"),
    (active, cmd.PostRepayment, cny(5, LATER), "ValueDateInFuture"),
    (active, cmd.PostRepayment, cny(5, date(2026, 1, 4)), "DateOutOfOrder"),
    (active, cmd.PostRepayment, cny(5, currency="EUR"), "CurrencyDiffers"),
    (active, cmd.PostRepayment, cny(10**9), "RepaymentAbovePayoff"),
    (active, cmd.PostRepayment, {**cny(5), "version": 1}, "LoanChangedMeanwhile"),
    (settled, cmd.PostRepayment, cny(5), "LoanIsSettled"),
    (lost, cmd.PostRepayment, cny(5), "LoanIsChargedOff"),
    (active, cmd.PostRecovery, cny(5), "LoanNotChargedOff"),
    (active, cmd.ReverseRepayment, {"repayment_id": "nix", "reason": "x"}, "RepaymentNotFound"),
    (active, cmd.ApplyCharge, {**cny(0), "reason": "x"}, "ChargeNotPositive"),
    (active, cmd.WaiveCharge, {"charge_id": "c", "value_on": TODAY, **APPROVED}, "ChargeNotFound"),
    (active, cmd.RefundCredit, {**cny(5), "reason": "x"}, "CreditBelowRefund"),
    (active, cmd.PauseDelinquency, PAUSE, "PauseInvalid"),
    (active, cmd.ResumeDelinquency, {"on": TODAY, "reason": "x"}, "PauseNotRunning"),
    (active, cmd.ChangeDelinquencyPolicy, JUDGED, "PolicyIsTheSame"),
    (settled, cmd.ChangeDelinquencyPolicy, JUDGED, "LoanIsSettled"),
    (
        active,
        cmd.ChangeDelinquencyPolicy,
        {**JUDGED, "effective_on": date(2026, 1, 5)},
        "DateOutOfOrder",
    ),
    (
        active,
        cmd.RestructureLoan,
        {"effective_on": TODAY, **PLAN, "instalments": 0},
        "TermsInvalid",
    ),
    (lost, cmd.RestructureLoan, {"effective_on": TODAY, **PLAN}, "LoanNotActive"),
    (sold, cmd.TransferLoan, SALE, "LoanIsTransferred"),
    (active, cmd.TransferLoan, {**SALE, "price_minor": -1}, "PriceBelowZero"),
    (untouched, cmd.ReturnDisbursement, {**cny(1_199_999), **APPROVED}, "AmountNotDisbursed"),
    (untouched, cmd.ReturnDisbursement, {**cny(1_200_000, LATER), **APPROVED}, "ValueDateInFuture"),
    (opened, cmd.ReturnDisbursement, {**cny(1_200_000), **APPROVED}, "LoanNotActive"),
    (active, cmd.ReturnDisbursement, {**cny(1_200_000), **APPROVED}, "MoneyWasPosted"),
    (sold, cmd.ReturnDisbursement, {**cny(1_200_000), **APPROVED}, "MoneyWasPosted"),
    (settled, cmd.ReturnDisbursement, {**cny(1_200_000), **APPROVED}, "LoanNotActive"),
    (returned, cmd.ReturnDisbursement, {**cny(1_200_000), **APPROVED}, "PayoutWasReturned"),
    (returned, cmd.PostRepayment, cny(5), "PayoutWasReturned"),
    (returned, cmd.ApplyCharge, {**cny(5), "reason": "x"}, "PayoutWasReturned"),
    (released, cmd.ApplyCharge, {**cny(5), "reason": "x"}, "LoanIsSettled"),
    (
        refunded,
        cmd.RefundCredit,
        {**cny(798_000, date(2026, 1, 5)), "reason": "x"},
        "CreditBelowRefund",
    ),
    (active, cmd.UndoChargeOff, APPROVED, "LoanNotChargedOff"),
    (active, cmd.PostGuaranteePayment, {**cny(10**9), "guarantor_ref": "G"}, "ClaimAbovePayoff"),
    (
        nearly_paid,
        cmd.PostGuaranteePayment,
        {**cny(1_100_000, date(2026, 1, 6)), "guarantor_ref": "G"},
        "ClaimAbovePayoff",
    ),
    (
        unknown,
        cmd.OpenLoan,
        {"borrower_ref": "B", "product": "p", "terms": replace(AGREED, disbursements_max=2)},
        "TermsInvalid",
    ),
    (
        unknown,
        cmd.OpenLoan,
        {
            "borrower_ref": "B",
            "product": "p",
            "terms": replace(AGREED, down_payment_rate=Decimal("0.2")),
        },
        "TermsInvalid",
    ),
]
ELSEWHERE = {
    "LoanNotFound": "tests below",
    "RepaymentAlreadyReversed": "tests below",
    "BusinessDateNotSet": "tests below",
    "FigureUnknown": "tests below",
    "CeilingUnknown": "tests below",
    "DisbursementAbovePrincipal": "test_changes_of_contract",
    "RecoveriesPosted": "test_changes_of_contract",
    "LoanIsAccelerated": "test_acceleration",
    "LoanNotAccelerated": "test_acceleration",
    "NotInArrears": "test_acceleration",
    "NothingToAccelerate": "test_acceleration",
    "SuppositionInvalid": "test_counterfactual",
    "SchemeNotInPolicy": "test_supposed_terms",
    "CostCeilingExceeded": "test_fifteen_defects",
    "RequestIdReused": "tests/system",
}


@pytest.mark.parametrize(("given", "kind", "asked", "reason"), REFUSED)
def test_a_refusal_names_its_reason_and_changes_nothing(given, kind, asked, reason) -> None:
    """The class says why, the field where, and nothing has changed."""
    desk = given()
    before = desk.account

    with pytest.raises(LendingError) as refused:
        desk.ask(kind, **asked)

    assert type(refused.value).__name__ == reason
    assert refused.value.field
    assert refused.value.retry is (reason == "LoanChangedMeanwhile")
    assert desk.account == before


def test_every_reason_is_provoked_somewhere() -> None:
    """A new refusal comes with a row or a test of its own."""
    reasons = {name for name, kind in vars(no).items() if isinstance(kind, type)}
    reasons -= {"Conflict", "InvalidArgument", "NotFound", "Refused"}

    assert reasons == {row[3] for row in REFUSED} | set(ELSEWHERE)


def test_a_repayment_is_taken_back_once() -> None:
    """The second reversal is refused."""
    desk = active()
    paid = next(f.fact_id for f in desk.account.facts)
    desk.ask(cmd.ReverseRepayment, repayment_id=paid, reason="returned")

    with pytest.raises(no.RepaymentAlreadyReversed):
        desk.ask(cmd.ReverseRepayment, repayment_id=paid, reason="returned")


def test_what_is_not_there() -> None:
    """No loan, no business date, no such figure, no such ceiling."""
    command = cmd.PostRepayment(
        loan_id="L-9",
        request_id="r",
        recorded_at=datetime.now(NOW.tzinfo),
        business_on=None,
        **cny(5),
    )
    with pytest.raises(no.LoanNotFound):
        decide(None, command)
    with pytest.raises(no.BusinessDateNotSet):
        decide(active().account, command)
    with pytest.raises(no.FigureUnknown):
        explain(active().account.timeline(TODAY), "luck")
    with pytest.raises(no.CeilingUnknown):
        ceiling_rate("cn-4-lpr/1", date(2021, 1, 1))
