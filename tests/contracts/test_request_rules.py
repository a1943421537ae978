"""
The rules in the protos say what the ledger says.

A caller in any language can check a request with protovalidate before it is sent. Held against the
ledger's own reading and deciding, for every field and values at the edges of its rules: what the
rules refuse the ledger refuses, and what the ledger cannot read the rules refuse too.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import protovalidate
import pytest
from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1 import loan_pb2

from services.ledger import wire, wire_acceleration
from services.ledger.domain import commands as cmd
from services.ledger.domain.decide import decide
from services.ledger.domain.terms import check_terms
from services.ledger.wire_terms import terms, terms_message
from shared.kernel.errors import InvalidArgument, LendingError
from tests.services.ledger.domain.desk import TERMS, Desk

NOW = datetime(2026, 3, 5, 9, tzinfo=UTC)
TODAY, SOON, CNY = "2026-01-05", "2026-01-20", Money(amount_minor=100, currency="CNY")
WHY, WHO = {"reason": "found"}, {"approved_by": "Li"}
REQUESTS = [
    # reader | kind of request | its own fields, beside request_id and loan_id
    (wire.disburse, pb.DisburseLoanRequest, {"value_on": TODAY, "amount": CNY}),
    (wire.repayment, pb.PostRepaymentRequest, {"value_on": TODAY, "amount": CNY}),
    (wire.recovery, pb.PostRecoveryRequest, {"value_on": TODAY, "amount": CNY}),
    (wire.reversal, pb.ReverseRepaymentRequest, {"repayment_id": "r-2", **WHY}),
    (wire.charge, pb.ApplyChargeRequest, {"value_on": TODAY, "amount": CNY, **WHY}),
    (wire.waiver, pb.WaiveChargeRequest, {"value_on": TODAY, "charge_id": "r-9", **WHY, **WHO}),
    (wire.refund, pb.RefundCreditRequest, {"value_on": TODAY, "amount": CNY, **WHY}),
    (wire.charge_off, pb.ChargeOffLoanRequest, {"effective_on": TODAY, **WHY}),
    (wire.charge_off_undo, pb.UndoChargeOffRequest, {**WHY, **WHO}),
    (wire.write_off, pb.WriteOffLoanRequest, {"effective_on": TODAY, **WHY, **WHO}),
    (wire.settlement, pb.SettleLoanRequest, {"value_on": TODAY, "amount": CNY, **WHY, **WHO}),
    (
        wire.disbursement_return,
        pb.ReturnDisbursementRequest,
        {"value_on": TODAY, "amount": Money(amount_minor=1_200_000, currency="CNY"), **WHY, **WHO},
    ),
    (wire.pause, pb.PauseDelinquencyRequest, {"from_on": TODAY, "until_on": SOON, **WHY}),
    (
        wire.policy_change,
        pb.ChangeDelinquencyPolicyRequest,
        {"effective_on": TODAY, "delinquency_policy": "cn-consumer/4", **WHY, **WHO},
    ),
    (wire.resumption, pb.ResumeDelinquencyRequest, {"on": TODAY, **WHY}),
    (
        wire.interest_pause,
        pb.PauseInterestRequest,
        {"from_on": TODAY, "until_on": SOON, **WHY, **WHO},
    ),
    (
        wire.guarantee_payment,
        pb.PostGuaranteePaymentRequest,
        {"value_on": TODAY, "amount": CNY, "guarantor_ref": "G"},
    ),
    (
        wire.restructuring,
        pb.RestructureLoanRequest,
        {"effective_on": TODAY, "first_due_on": SOON, "rate_annual": "0.05", **WHY, **WHO},
    ),
    (
        wire_acceleration.acceleration,
        pb.AccelerateLoanRequest,
        {"effective_on": TODAY, "notified_on": TODAY, "ground": 2, **WHY, **WHO},
    ),
    (wire_acceleration.withdrawal, pb.WithdrawAccelerationRequest, {**WHY, **WHO}),
    (
        wire.transfer,
        pb.TransferLoanRequest,
        {"effective_on": TODAY, "creditor_ref": "fund", "price": CNY, **WHY, **WHO},
    ),
    (
        wire.open_loan,
        pb.OpenLoanRequest,
        {"borrower_ref": "B-1", "product": "p", "terms": terms_message(TERMS)},
    ),
]
TEXTS = ["", " ", "\t", "ab", "abc", "-bc", "a b", "loans/abc", "账户号", "r" * 64, "r" * 65]
TEXTS += ["x" * 200, "x" * 201, "1", "123456789", "1234567890", "0.05", "-0", "1e5", ".5", "1."]
TEXTS += ["0" * 18, "0" * 19, "0.123456789012", "0.1234567890123", "CNY", "cny", "CNYX"]
TEXTS += ["2026-02-03", "2026-2-3", "1899-12-31", "1900-01-01", "2199-12-31", "2200-01-01"]
NUMBERS = [-(2**31), -1, 0, 1, 12, 31, 32, 60, 61, 100, 101, 366, 367, 479, 480, 481, 2**31 - 1]
LARGE = [-(2**63), -(10**15) - 1, 10**9, 10**9 + 1, 10**13, 10**13 + 1, 10**15 + 1, 2**63 - 1]
BY_ITSELF = {"version", "validate_only", "terms", "delinquency_policy"}


def _values(field: Any, message: Any) -> list[Any]:
    """Return values at and beyond the edges of a field."""
    if field.type == field.TYPE_STRING:
        return TEXTS
    if field.type == field.TYPE_ENUM:
        return [0, 1, max(field.enum_type.values_by_number), 99, -1]
    if field.type == field.TYPE_INT32:
        return NUMBERS
    return [*NUMBERS, *LARGE] if field.type == field.TYPE_INT64 else []


def _refused_by_rules(message: Any, name: str) -> bool:
    """Whether the field itself breaks its rules."""
    found = protovalidate.collect_violations(message)
    return any(v.proto.field.elements[0].field_name == name for v in found)


def _refused_by_ledger(read: Any, message: Any) -> tuple[bool, str]:
    """Whether the ledger refuses the request, and the field that it cannot read."""
    try:
        command = read(message, NOW)
    except InvalidArgument as refusal:
        return True, refusal.field
    command = msgspec.structs.replace(command, business_on=date(2026, 1, 5))
    try:
        decide(None if isinstance(command, cmd.OpenLoan) else Desk().account, command)
    except LendingError:
        return True, ""
    return False, ""


@pytest.mark.parametrize(
    ("read", "kind", "own"), REQUESTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_the_rules_of_a_request_are_the_ledgers(read: Any, kind: Any, own: dict[str, Any]) -> None:
    """Field by field, with everything else as it should be."""
    for field in kind.DESCRIPTOR.fields:
        if field.name in BY_ITSELF:
            continue
        for value in _values(field, kind):
            message = kind(**{"request_id": "r-77", "loan_id": "L-1", **own, field.name: value})
            by_rules = _refused_by_rules(message, field.name)
            refused, unread = _refused_by_ledger(read, message)
            assert refused or not by_rules, f"only the rules refuse {field.name} {value!r}"
            assert by_rules or unread != field.name, f"the rules let {field.name} {value!r} pass"


@pytest.mark.parametrize("kind", [pb.PostRepaymentRequest, pb.DisburseLoanRequest])
@pytest.mark.parametrize("amount", [None, *LARGE])
def test_the_rules_of_an_amount(kind: Any, amount: int | None) -> None:
    """It is there, and not larger than one fact may carry."""
    money = None if amount is None else Money(amount_minor=amount, currency="CNY")
    message = kind(request_id="r-77", loan_id="L-1", value_on=TODAY, amount=money)
    by_rules = _refused_by_rules(message, "amount")
    assert by_rules == (amount is None or abs(amount) > 10**15)
    read = wire.repayment if kind is pb.PostRepaymentRequest else wire.disburse
    assert _refused_by_ledger(read, message)[0] or not by_rules


SERVER_ONLY = {
    # what one field's rule cannot know
    "currency": "which currencies are kept",
    "rate_annual": "0 to 1",
    "penalty_rate_annual": "0 to 1",
    "down_payment_rate": "0 to 0.99",
    "prepayment_fee_rate": "0 to 0.1",
    "months_per_instalment": "at least 1 without days",
    "days_per_instalment": "not with months",
    "principal_grace_instalments": "below the number of instalments",
    "interest_grace_instalments": "below the number of instalments",
    "interest_free_instalments": "up to the number of instalments",
    "fees_elsewhere_minor": "below the principal",
    "short_month": "only with a due day",
    "first_period": "only with PERIOD_360 and months",
    "allocation_policy": "which policies there are",
    "delinquency_policy": "which policies there are",
    "posting_policy": "which policies there are",
    "calendar": "which calendars there are",
    "business_day_rule": "only with a calendar",
    "method": "AGREED only with agreed instalments",
}


@pytest.mark.parametrize(
    "field", list(loan_pb2.Terms.DESCRIPTOR.fields), ids=lambda field: field.name
)
def test_the_rules_of_terms_are_the_ledgers(field: Any) -> None:
    """What the rules refuse the ledger does; the other way but for what one field cannot know."""
    for value in _values(field, loan_pb2.Terms) if not field.is_repeated else []:
        message = loan_pb2.Terms()
        message.CopyFrom(terms_message(TERMS))
        setattr(message, field.name, value)
        by_rules = _refused_by_rules(message, field.name)
        try:
            check_terms(terms(message))
            refused = False
        except InvalidArgument:
            refused = True
        assert refused or not by_rules, f"only the rules refuse {field.name} {value!r}"
        if field.name not in SERVER_ONLY:
            assert by_rules or not refused, f"the rules let {field.name} {value!r} pass"
