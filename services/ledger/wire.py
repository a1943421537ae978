"""Requests into commands; with the other wire modules the only place that knows both."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from google.protobuf.message import Message
from lending.common.v1 import money_pb2
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1 import loan_pb2

from services.ledger.domain import commands as cmd
from services.ledger.domain.terms import Restructuring
from services.ledger.domain.waterfall import Component, PaymentSource
from services.ledger.wire_terms import LoanView, chosen, delinquency_policy, terms
from shared.kernel.dates import parse_date
from shared.kernel.errors import InvalidArgument
from shared.kernel.money import AMOUNT_MINOR_MAX, AmountTooLarge, plain_decimal
from shared.runtime.identity import actor
from shared.runtime.requests import FieldMissing, a_loan, a_text, an_id
from shared.runtime.telemetry import current_traceparent


class EtagNotValid(InvalidArgument):
    """An etag is the version of a loan as it was read."""


def body_sha256(request: Message) -> str:
    """Return the hash that tells two bodies of one request id apart; how to answer is no part."""
    if not getattr(request, "view", 0):
        return _sha256(request)
    asked = type(request)()
    asked.CopyFrom(request)
    asked.ClearField("view")
    return _sha256(asked)


def former_sha256(request: Message) -> str:
    """Return what the hash was while how to answer was a part of it; empty where it is the same."""
    return _sha256(request) if getattr(request, "view", 0) else ""


def _sha256(request: Message) -> str:
    named = type(request).__name__.encode() + b"\0" + request.SerializeToString(deterministic=True)
    return hashlib.sha256(named).hexdigest()


def asked(request: Any, now: datetime) -> dict[str, Any]:
    """Return what every command copies from its request."""
    return {
        "loan_id": a_loan(request.loan_id),
        "request_id": an_id(request.request_id, "request_id"),
        "recorded_at": now,
        "business_on": None,
        "actor": actor(),
        "traceparent": current_traceparent(),
        "version": _version(getattr(request, "etag", "")),
    }


def _version(etag: str) -> int:
    """Read the version that a caller looked at; 0 when it does not say."""
    if etag and not (etag.isascii() and etag.isdigit() and len(etag) < 10):
        raise EtagNotValid(f"{etag[:20]!r} is not an etag", field="etag", expected="a version")
    return int(etag or 0)


def _money(amount: money_pb2.Money) -> dict[str, Any]:
    if abs(amount.amount_minor) > AMOUNT_MINOR_MAX:
        raise AmountTooLarge(
            f"{amount.amount_minor} is too large",
            field="amount.amount_minor",
            expected=f"up to {AMOUNT_MINOR_MAX}",
        )
    return {"amount_minor": amount.amount_minor, "currency": amount.currency}


def open_loan(request: pb.OpenLoanRequest, now: datetime) -> cmd.OpenLoan:
    """Read a request to open an account."""
    return cmd.OpenLoan(
        **asked(request, now),
        borrower_ref=a_text(request.borrower_ref, "borrower_ref"),
        product=a_text(request.product, "product"),
        terms=terms(request.terms),
    )


def disburse(request: pb.DisburseLoanRequest, now: datetime) -> cmd.DisburseLoan:
    """Read a request to pay a loan out."""
    value_on = parse_date(request.value_on, field="value_on")
    return cmd.DisburseLoan(**asked(request, now), value_on=value_on, **_money(request.amount))


def repayment(request: pb.PostRepaymentRequest, now: datetime) -> cmd.PostRepayment:
    """Read a repayment; how much of the loan the answer shows is no part of it, but checked."""
    chosen(LoanView, loan_pb2.LoanView, request.view, "view")
    return cmd.PostRepayment(
        **asked(request, now),
        value_on=parse_date(request.value_on, field="value_on"),
        source=chosen(PaymentSource, loan_pb2.PaymentSource, request.source, "source"),
        **_money(request.amount),
    )


def recovery(request: pb.PostRecoveryRequest, now: datetime) -> cmd.PostRecovery:
    """Read a recovery."""
    value_on = parse_date(request.value_on, field="value_on")
    return cmd.PostRecovery(**asked(request, now), value_on=value_on, **_money(request.amount))


def reversal(request: pb.ReverseRepaymentRequest, now: datetime) -> cmd.ReverseRepayment:
    """Read a reversal."""
    return cmd.ReverseRepayment(
        **asked(request, now),
        repayment_id=an_id(request.repayment_id, "repayment_id"),
        reason=a_text(request.reason, "reason"),
    )


def charge(request: pb.ApplyChargeRequest, now: datetime) -> cmd.ApplyCharge:
    """Read a charge."""
    return cmd.ApplyCharge(
        **asked(request, now),
        value_on=parse_date(request.value_on, field="value_on"),
        reason=a_text(request.reason, "reason"),
        component=_charge_component(request),
        due_on=parse_date(request.due_on, field="due_on") if request.due_on else None,
        **_money(request.amount),
    )


def _charge_component(request: pb.ApplyChargeRequest) -> Component:
    if not request.component:
        return Component.FEE
    found = chosen(Component, loan_pb2.Component, request.component, "component")
    if found not in (Component.FEE, Component.PENALTY, Component.COST):
        raise FieldMissing(f"{found} is not charged", field="component", expected="FEE")
    return found


def waiver(request: pb.WaiveChargeRequest, now: datetime) -> cmd.WaiveCharge:
    """Read a waiver."""
    return cmd.WaiveCharge(
        **asked(request, now),
        charge_id=an_id(request.charge_id, "charge_id"),
        value_on=parse_date(request.value_on, field="value_on"),
        reason=a_text(request.reason, "reason"),
        approved_by=a_text(request.approved_by, "approved_by"),
    )


def refund(request: pb.RefundCreditRequest, now: datetime) -> cmd.RefundCredit:
    """Read a refund of a credit balance."""
    return cmd.RefundCredit(
        **asked(request, now),
        value_on=parse_date(request.value_on, field="value_on"),
        reason=a_text(request.reason, "reason"),
        **_money(request.amount),
    )


def charge_off_undo(request: pb.UndoChargeOffRequest, now: datetime) -> cmd.UndoChargeOff:
    """Read the undoing of a charge-off."""
    return cmd.UndoChargeOff(
        **asked(request, now),
        reason=a_text(request.reason, "reason"),
        approved_by=a_text(request.approved_by, "approved_by"),
    )


def write_off(request: pb.WriteOffLoanRequest, now: datetime) -> cmd.WriteOffLoan:
    """Read a write-off."""
    return cmd.WriteOffLoan(
        **asked(request, now),
        effective_on=parse_date(request.effective_on, field="effective_on"),
        reason=a_text(request.reason, "reason"),
        approved_by=a_text(request.approved_by, "approved_by"),
    )


def settlement(request: pb.SettleLoanRequest, now: datetime) -> cmd.SettleLoan:
    """Read a settlement."""
    return cmd.SettleLoan(
        **asked(request, now),
        value_on=parse_date(request.value_on, field="value_on"),
        reason=a_text(request.reason, "reason"),
        approved_by=a_text(request.approved_by, "approved_by"),
        **_money(request.amount),
    )


def disbursement_return(
    request: pb.ReturnDisbursementRequest, now: datetime
) -> cmd.ReturnDisbursement:
    """Read that a payout came back."""
    return cmd.ReturnDisbursement(
        **asked(request, now),
        value_on=parse_date(request.value_on, field="value_on"),
        reason=a_text(request.reason, "reason"),
        approved_by=a_text(request.approved_by, "approved_by"),
        **_money(request.amount),
    )


def guarantee_payment(
    request: pb.PostGuaranteePaymentRequest, now: datetime
) -> cmd.PostGuaranteePayment:
    """Read a guarantor's payment."""
    return cmd.PostGuaranteePayment(
        **asked(request, now),
        value_on=parse_date(request.value_on, field="value_on"),
        guarantor_ref=a_text(request.guarantor_ref, "guarantor_ref"),
        **_money(request.amount),
    )


def interest_pause(request: pb.PauseInterestRequest, now: datetime) -> cmd.PauseInterest:
    """Read a pause of interest."""
    return cmd.PauseInterest(
        **asked(request, now),
        from_on=parse_date(request.from_on, field="from_on"),
        until_on=parse_date(request.until_on, field="until_on"),
        reason=a_text(request.reason, "reason"),
        approved_by=a_text(request.approved_by, "approved_by"),
    )


def pause(request: pb.PauseDelinquencyRequest, now: datetime) -> cmd.PauseDelinquency:
    """Read a pause of delinquency."""
    return cmd.PauseDelinquency(
        **asked(request, now),
        from_on=parse_date(request.from_on, field="from_on"),
        until_on=parse_date(request.until_on, field="until_on"),
        reason=a_text(request.reason, "reason"),
    )


def resumption(request: pb.ResumeDelinquencyRequest, now: datetime) -> cmd.ResumeDelinquency:
    """Read the end of a pause."""
    return cmd.ResumeDelinquency(
        **asked(request, now),
        on=parse_date(request.on, field="on"),
        reason=a_text(request.reason, "reason"),
    )


def policy_change(
    request: pb.ChangeDelinquencyPolicyRequest, now: datetime
) -> cmd.ChangeDelinquencyPolicy:
    """Read a change of the delinquency policy."""
    name = a_text(request.delinquency_policy, "delinquency_policy")
    on = parse_date(request.effective_on, field="effective_on")
    return cmd.ChangeDelinquencyPolicy(
        **asked(request, now),
        effective_on=on,
        policy=delinquency_policy(name, request.effective_on, "delinquency_policy"),
        reason=a_text(request.reason, "reason"),
        approved_by=a_text(request.approved_by, "approved_by"),
    )


def restructuring(request: pb.RestructureLoanRequest, now: datetime) -> cmd.RestructureLoan:
    """Read a restructuring."""
    first, rate = request.first_due_on, request.rate_annual
    return cmd.RestructureLoan(
        **asked(request, now),
        effective_on=parse_date(request.effective_on, field="effective_on"),
        instalments=request.instalments or None,
        first_due_on=parse_date(first, field="first_due_on") if first else None,
        rate_annual=plain_decimal(rate, field="rate_annual") if rate else None,
        kind=chosen(Restructuring, loan_pb2.Restructuring, request.kind, "kind"),
        reason=a_text(request.reason, "reason"),
        approved_by=a_text(request.approved_by, "approved_by"),
    )


def transfer(request: pb.TransferLoanRequest, now: datetime) -> cmd.TransferLoan:
    """Read a sale."""
    price = _money(request.price)
    return cmd.TransferLoan(
        **asked(request, now),
        effective_on=parse_date(request.effective_on, field="effective_on"),
        creditor_ref=a_text(request.creditor_ref, "creditor_ref"),
        price_minor=price["amount_minor"],
        currency=price["currency"],
        reason=a_text(request.reason, "reason"),
        approved_by=a_text(request.approved_by, "approved_by"),
    )


def charge_off(request: pb.ChargeOffLoanRequest, now: datetime) -> cmd.ChargeOffLoan:
    """Read a charge-off."""
    return cmd.ChargeOffLoan(
        **asked(request, now),
        effective_on=parse_date(request.effective_on, field="effective_on"),
        reason=a_text(request.reason, "reason"),
    )
