"""Requests into a borrower's means, assessments into messages."""

from __future__ import annotations

from lending.risk.v1 import affordability_service_pb2 as pb

from services.risk.application.plans import Assessed
from services.risk.domain.plan_affordability import Means
from services.risk.wire_decisions import (
    CurrenciesDiffer,
    confirmed_income,
    optional_date,
    optional_id,
    reason_messages,
    rule_messages,
)
from shared.kernel.dates import parse_date
from shared.runtime.requests import FieldMissing, a_text, an_amount, an_id


def means(request: pb.AssessAffordabilityRequest) -> Means:
    """Read what a borrower has and owes; everything wrong in it is named."""
    an_id(request.request_id, "request_id")
    currency = request.monthly_instalment.currency

    def amount(field: str) -> int:
        money = getattr(request, field)
        if not request.HasField(field):
            raise FieldMissing(f"{field} is missing", field=field, expected="an amount, 0 or more")
        if money.currency != currency:
            raise CurrenciesDiffer("one currency throughout", field=field, expected=currency)
        return an_amount(money, field, positive=False)

    return Means(
        borrower_ref=a_text(request.borrower_ref, "borrower_ref"),
        loan_id=optional_id(request.loan_id, "loan_id"),
        plan_ref=optional_id(request.plan_ref, "plan_ref"),
        assessed_on=parse_date(request.assessed_on, field="assessed_on"),
        currency=currency,
        instalment_minor=amount("monthly_instalment"),
        income_stated_minor=amount("monthly_income"),
        living_costs_minor=amount("monthly_living_costs"),
        debt_payments_minor=amount("monthly_debt_payments"),
        other_instalments_minor=amount("monthly_other_instalments"),
        income=confirmed_income(request, currency),
        income_consented_on=optional_date(request.income_consented_on, "income_consented_on"),
    )


def assessment_message(made: Assessed) -> pb.AffordabilityAssessment:
    """Return an assessment as its message."""
    given, found = made.means, made.assessment
    outcome = f"AFFORDABILITY_OUTCOME_{found.outcome}"
    return pb.AffordabilityAssessment(
        assessment_id=made.assessment_id,
        borrower_ref=given.borrower_ref,
        loan_id=given.loan_id,
        plan_ref=given.plan_ref,
        assessed_on=given.assessed_on.isoformat(),
        outcome=pb.AffordabilityOutcome.Value(outcome),
        debt_service_ratio=f"{found.debt_service_ratio:f}",
        disposable_minor=found.disposable_minor,
        instalment_affordable_minor=found.instalment_affordable_minor,
        reasons=reason_messages(found.reasons),
        rules=rule_messages(found.findings),
        policy_version=found.policy_version,
        input_digest=found.input_digest,
        inputs_json=given.encoded().decode(),
    )
