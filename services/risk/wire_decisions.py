"""Requests into applications, decisions into messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import msgspec
from lending.common.v1 import money_pb2
from lending.risk.v1 import events_pb2
from lending.risk.v1 import risk_service_pb2 as pb

from services.risk.application.book import Decided
from services.risk.domain.affordability import affordability
from services.risk.domain.application import (
    Application,
    BureauReport,
    VerifiedIncome,
    own_attributes,
)
from services.risk.domain.decision import Decision
from services.risk.domain.policy import Policy
from services.risk.domain.reasons import Reason
from services.risk.domain.rules import Finding
from services.risk.domain.scorecard import Scorecard, bin_of, points_of
from shared.kernel.dates import parse_date
from shared.kernel.errors import InvalidArgument
from shared.runtime.requests import FieldMissing, a_number, a_share, a_text, an_amount, an_id

ATTRIBUTES_MAX, VALUE_CHARACTERS_MAX = 100, 200


class CurrenciesDiffer(InvalidArgument):
    """The amounts of one application are in one currency."""


def application(request: pb.ScoreApplicationRequest) -> Application:
    """Read an application; everything wrong in it is named."""
    an_id(request.request_id, "request_id")
    currency = request.amount.currency

    def amount(money: money_pb2.Money, field: str, *, positive: bool = False) -> int:
        if money.currency != currency:
            raise CurrenciesDiffer("one currency per application", field=field, expected=currency)
        return an_amount(money, field, positive=positive)

    decided_on = parse_date(request.decided_on, field="decided_on")
    borrower_ref = a_text(request.borrower_ref, "borrower_ref")
    found = Application(
        application_id=an_id(request.application_id, "application_id"),
        product=an_id(request.product, "product"),
        currency=currency,
        amount_minor=an_amount(request.amount, "amount"),
        instalments=a_number(request.instalments, "instalments", 1, 480),
        monthly_income_minor=amount(request.monthly_income, "monthly_income"),
        monthly_debt_payments_minor=amount(request.monthly_debt_payments, "monthly_debt_payments"),
        monthly_instalment_minor=amount(
            request.monthly_instalment, "monthly_instalment", positive=True
        ),
        other_lenders=a_number(request.other_lenders, "other_lenders", 0, 100),
        enquiries_30d=a_number(request.enquiries_30d, "enquiries_30d", 0, 1000),
        age_years=a_number(request.age_years, "age_years", 0, 130),
        attributes=_attributes(request),
        borrower_ref=borrower_ref,
        decided_on=decided_on,
        region=_optional_text(request.region, "region"),
        partner_ref=optional_id(request.partner_ref, "partner_ref"),
        partner_share=_partner_share(request),
        guarantor_ref=optional_id(request.guarantor_ref, "guarantor_ref"),
        bureau=_bureau(request, currency),
        income=confirmed_income(request, currency),
        income_consented_on=optional_date(request.income_consented_on, "income_consented_on"),
        group_ref=optional_id(request.group_ref, "group_ref"),
        purpose=_optional_text(request.purpose or request.attributes.get("purpose", ""), "purpose"),
    )
    attributes = {**found.attributes, **own_attributes(found)}
    return msgspec.structs.replace(found, attributes=attributes)


def _partner_share(request: pb.ScoreApplicationRequest) -> Decimal:
    """Read what share of the loan the partner funds, which only a partner does."""
    share = a_share(request.partner_share or "0", "partner_share")
    if share and not request.partner_ref:
        raise FieldMissing("who funds it?", field="partner_ref", expected="a partner")
    return share


def _attributes(request: pb.ScoreApplicationRequest) -> dict[str, str]:
    """Return the attributes; all are kept with the decision, so they are few and short."""
    a_number(len(request.attributes), "attributes", 0, ATTRIBUTES_MAX)
    for name, value in request.attributes.items():
        a_text(name, "attributes")
        if value.strip() or len(value) > VALUE_CHARACTERS_MAX:
            a_text(value, f"attributes.{name}")
    return dict(request.attributes)


def _optional_text(text: str, field: str) -> str:
    return a_text(text, field) if text else ""


def optional_id(text: str, field: str) -> str:
    """Return a valid id, or an empty text as it is."""
    return an_id(text, field) if text else ""


def _bureau(request: pb.ScoreApplicationRequest, currency: str) -> BureauReport | None:
    if not request.HasField("bureau_report"):
        return None
    given, field = request.bureau_report, "bureau_report"
    consented = given.consented_on
    return BureauReport(
        source=a_text(given.source, f"{field}.source"),
        report_id=a_text(given.report_id, f"{field}.report_id"),
        reported_on=parse_date(given.reported_on, field=f"{field}.reported_on"),
        consented_on=optional_date(consented, f"{field}.consented_on"),
        lenders=a_number(given.lenders, f"{field}.lenders", 0, 100),
        enquiries_7d=a_number(given.enquiries_7d, f"{field}.enquiries_7d", 0, 1000),
        enquiries_30d=a_number(given.enquiries_30d, f"{field}.enquiries_30d", 0, 1000),
        enquiries_90d=a_number(given.enquiries_90d, f"{field}.enquiries_90d", 0, 1000),
        monthly_payments_minor=_reported(given, "monthly_payments", currency),
        overdue_minor=_reported(given, "overdue", currency),
    )


def optional_date(text: str, field: str) -> date | None:
    """Return a date, or nothing of an empty text."""
    return parse_date(text, field=field) if text else None


def _reported(given: pb.BureauReport, name: str, currency: str) -> int:
    """Return an amount of a report; one that is not said is not taken for nothing."""
    money, field = getattr(given, name), f"bureau_report.{name}"
    if not given.HasField(name):
        raise FieldMissing(f"{field} is missing", field=field, expected="an amount, 0 or more")
    if money.currency != currency:
        raise CurrenciesDiffer("one currency per application", field=field, expected=currency)
    return an_amount(money, field, positive=False)


def confirmed_income(request: Any, currency: str) -> VerifiedIncome | None:
    """Return the confirmed income of a request that has a field for it; None when it is absent."""
    if not request.HasField("verified_income"):
        return None
    given, field = request.verified_income, "verified_income"
    if given.monthly.currency != currency:
        raise CurrenciesDiffer(
            "one currency per application", field=f"{field}.monthly", expected=currency
        )
    return VerifiedIncome(
        source=a_text(given.source, f"{field}.source"),
        verified_on=parse_date(given.verified_on, field=f"{field}.verified_on"),
        monthly_minor=an_amount(given.monthly, f"{field}.monthly", positive=False),
    )


def decision_message(decision: Decision, decision_id: str) -> pb.Decision:
    """Return a decision as its message."""
    other = decision.challenger_probability
    return pb.Decision(
        application_id=decision.application_id,
        outcome=pb.DecisionOutcome.Value(f"DECISION_OUTCOME_{decision.outcome}"),
        score=decision.score,
        probability_of_default=str(decision.probability_of_default),
        reasons=reason_messages(decision.reasons),
        policy_version=decision.policy_version,
        model_version=decision.model_version,
        input_digest=decision.input_digest,
        decided_by=str(decision.role),
        challenger_version=decision.challenger_version,
        challenger_probability="" if other is None else str(other),
        decision_id=decision_id,
    )


def reason_messages(reasons: Iterable[Reason]) -> list[pb.Reason]:
    """Return reasons as their messages."""
    return [pb.Reason(code=r.code, text_en=r.text_en, text_zh=r.text_zh) for r in reasons]


def rule_messages(findings: Iterable[Finding]) -> list[pb.RuleFinding]:
    """Return what each rule found as its message."""
    return [
        pb.RuleFinding(
            code=one.code,
            severity=str(one.severity),
            found=one.found,
            bound=one.bound,
            failed=one.failed,
        )
        for one in findings
    ]


def decision_made(decided: Decided, answer: pb.Decision) -> tuple[str, events_pb2.DecisionMade]:
    """Return the subject and body of the published decision."""
    given = decided.application
    body = events_pb2.DecisionMade(
        decision=answer,
        borrower_ref=given.borrower_ref,
        decided_on=given.decided_on.isoformat(),
    )
    return f"lending.v1.risk.decision_made.{answer.application_id}", body


def explanation(decided: Decided, policy: Policy, card: Scorecard) -> pb.DecisionExplanation:
    """Return everything about a decision as its message."""
    given, decision = decided.application, decided.decision
    able = affordability(given, policy)
    return pb.DecisionExplanation(
        decision=decision_message(decision, decided.decision_id),
        rules=rule_messages(decision.findings),
        points=_points(card, given.attributes),
        base_points=card.base_points,
        debt_service_ratio=_places(able.debt_service_ratio),
        stressed_debt_service_ratio=_places(able.stressed_debt_service_ratio),
        disposable_minor=able.disposable_minor,
        inputs_json=given.encoded().decode(),
    )


def _points(card: Scorecard, attributes: dict[str, str]) -> list[pb.AttributePoints]:
    return [
        pb.AttributePoints(
            name=item.name,
            value=attributes.get(item.name, ""),
            points=points_of(item, attributes.get(item.name, "")),
            points_best=max(b.points for b in item.bins),
            missing=bin_of(item, attributes.get(item.name, "")) is None,
        )
        for item in card.characteristics
    ]


def _places(ratio: Decimal) -> str:
    return str(ratio.quantize(Decimal("0.0001"), ROUND_HALF_EVEN))
