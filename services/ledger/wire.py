"""Requests into commands, accounts into messages; the only place that knows both."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from typing import Any

from google.protobuf.message import Message
from lending.common.v1 import money_pb2
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1 import loan_pb2

from services.ledger.domain import commands as cmd
from services.ledger.domain.delinquency import standing_of
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.terms import RepaymentMethod, Terms
from services.ledger.domain.timeline import Allocation, Timeline
from services.ledger.wire_events import delinquency_message
from shared.kernel.dates import DayCount, parse_date
from shared.kernel.money import AMOUNT_MINOR_MAX, AmountTooLarge, plain_decimal
from shared.runtime.requests import FieldMissing, a_text, an_id
from shared.runtime.telemetry import current_traceparent


def body_sha256(request: Message) -> str:
    """Return the hash that tells two bodies under one request id apart."""
    named = type(request).__name__.encode() + b"\0" + request.SerializeToString(deterministic=True)
    return hashlib.sha256(named).hexdigest()


def asked(request: Any, now: datetime) -> dict[str, Any]:
    """Return what every command copies from its request."""
    return {
        "loan_id": an_id(request.loan_id, "loan_id"),
        "request_id": an_id(request.request_id, "request_id"),
        "recorded_at": now,
        "business_on": None,
        "traceparent": current_traceparent(),
    }


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


def terms(message: loan_pb2.Terms) -> Terms:
    """Read a contract's terms."""
    method, days = loan_pb2.RepaymentMethod, loan_pb2.DayCount
    if message.method not in range(1, 5):
        raise FieldMissing("method is not set", field="terms.method", expected="a method")
    if message.day_count not in (1, 2):
        raise FieldMissing("day_count is not set", field="terms.day_count", expected="a day count")
    name = method.Name(message.method).removeprefix("REPAYMENT_METHOD_")
    return Terms(
        currency=message.currency,
        principal_minor=message.principal_minor,
        rate_annual=plain_decimal(message.rate_annual, field="terms.rate_annual"),
        method=RepaymentMethod(name),
        day_count=DayCount(days.Name(message.day_count).removeprefix("DAY_COUNT_")),
        instalments=message.instalments,
        months_per_instalment=message.months_per_instalment,
        first_due_on=parse_date(message.first_due_on, field="terms.first_due_on"),
        grace_days=message.grace_days,
        penalty_rate_annual=plain_decimal(
            message.penalty_rate_annual, field="terms.penalty_rate_annual"
        ),
    )


def disburse(request: pb.DisburseLoanRequest, now: datetime) -> cmd.DisburseLoan:
    """Read a request to pay a loan out."""
    value_on = parse_date(request.value_on, field="value_on")
    return cmd.DisburseLoan(**asked(request, now), value_on=value_on, **_money(request.amount))


def repayment(request: pb.PostRepaymentRequest, now: datetime) -> cmd.PostRepayment:
    """Read a repayment."""
    value_on = parse_date(request.value_on, field="value_on")
    return cmd.PostRepayment(**asked(request, now), value_on=value_on, **_money(request.amount))


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
        **_money(request.amount),
    )


def restructuring(request: pb.RestructureLoanRequest, now: datetime) -> cmd.RestructureLoan:
    """Read a restructuring."""
    return cmd.RestructureLoan(
        **asked(request, now),
        effective_on=parse_date(request.effective_on, field="effective_on"),
        instalments=request.instalments,
        first_due_on=parse_date(request.first_due_on, field="first_due_on"),
        rate_annual=plain_decimal(request.rate_annual, field="rate_annual"),
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


def loan_message(account: LoanAccount, on: date | None) -> loan_pb2.Loan:
    """Return a loan on a date as its message."""
    status = loan_pb2.LoanStatus.Value(f"LOAN_STATUS_{account.status}")
    line = account.timeline(on) if on else None
    message = loan_pb2.Loan(
        loan_id=account.loan_id,
        borrower_ref=account.borrower_ref,
        product=account.product,
        status=status,
        terms=terms_message(line.terms if line else account.terms),
        effective_on=on.isoformat() if on else "",
        version=account.version,
    )
    if line is not None and account.disbursed_on is not None:
        message.disbursed_on = account.disbursed_on.isoformat()
        _fill_balances(message, line)
    return message


def _fill_balances(message: loan_pb2.Loan, line: Timeline) -> None:
    for row in line.rows:
        message.instalments.add(
            number=row.number,
            due_on=row.due_on.isoformat(),
            principal_due_minor=row.principal_due,
            interest_due_minor=row.interest_due,
            principal_paid_minor=row.principal_paid,
            interest_paid_minor=row.interest_paid,
            paid_on=row.paid_on.isoformat() if row.paid_on else "",
        )
    standing = standing_of(line)
    message.principal_outstanding_minor = line.principal_outstanding
    message.interest_overdue_minor = standing.interest_overdue_minor
    message.penalty_outstanding_minor = line.penalty_outstanding
    message.fees_outstanding_minor = line.charges_outstanding
    message.unallocated_minor = line.unallocated
    message.recovered_minor = line.recovered
    message.payoff_minor = line.payoff
    message.delinquency.CopyFrom(delinquency_message(standing))


def terms_message(given: Terms) -> loan_pb2.Terms:
    """Return terms as their message."""
    return loan_pb2.Terms(
        currency=given.currency,
        principal_minor=given.principal_minor,
        rate_annual=str(given.rate_annual),
        method=loan_pb2.RepaymentMethod.Value(f"REPAYMENT_METHOD_{given.method}"),
        day_count=loan_pb2.DayCount.Value(f"DAY_COUNT_{given.day_count}"),
        instalments=given.instalments,
        months_per_instalment=given.months_per_instalment,
        first_due_on=given.first_due_on.isoformat(),
        grace_days=given.grace_days,
        penalty_rate_annual=str(given.penalty_rate_annual),
    )


def allocation_message(slot: Allocation) -> loan_pb2.Allocation:
    """Return one slot that money went to as its message."""
    return loan_pb2.Allocation(
        instalment=slot.instalment,
        component=loan_pb2.Component.Value(f"COMPONENT_{slot.component}"),
        amount_minor=slot.amount_minor,
    )
