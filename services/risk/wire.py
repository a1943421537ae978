"""Requests into applications, decisions into messages."""

from __future__ import annotations

from lending.risk.v1 import events_pb2
from lending.risk.v1 import risk_service_pb2 as pb

from services.risk.domain.decision import Decision
from services.risk.domain.policy import Application
from shared.kernel.dates import parse_date
from shared.runtime.requests import a_number, a_text, an_amount, an_id


def application(request: pb.ScoreApplicationRequest) -> Application:
    """Read an application; everything wrong in it is named."""
    an_id(request.request_id, "request_id")
    parse_date(request.decided_on, field="decided_on")
    a_text(request.borrower_ref, "borrower_ref")
    return Application(
        application_id=an_id(request.application_id, "application_id"),
        amount_minor=an_amount(request.amount, "amount"),
        instalments=a_number(request.instalments, "instalments", 1, 480),
        monthly_income_minor=an_amount(request.monthly_income, "monthly_income", positive=False),
        monthly_debt_payments_minor=an_amount(
            request.monthly_debt_payments, "monthly_debt_payments", positive=False
        ),
        monthly_instalment_minor=an_amount(request.monthly_instalment, "monthly_instalment"),
        other_lenders=a_number(request.other_lenders, "other_lenders", 0, 100),
        enquiries_30d=a_number(request.enquiries_30d, "enquiries_30d", 0, 1000),
        age_years=a_number(request.age_years, "age_years", 0, 130),
        attributes=dict(request.attributes),
    )


def decision_message(decision: Decision) -> pb.Decision:
    """Return a decision as its message."""
    return pb.Decision(
        application_id=decision.application_id,
        outcome=pb.DecisionOutcome.Value(f"DECISION_OUTCOME_{decision.outcome}"),
        score=decision.score,
        probability_of_default=str(decision.probability_of_default),
        reasons=[
            pb.Reason(code=r.code, text_en=r.text_en, text_zh=r.text_zh) for r in decision.reasons
        ],
        policy_version=decision.policy_version,
        model_version=decision.model_version,
    )


def decision_made(request: pb.ScoreApplicationRequest, answer: pb.Decision) -> tuple[str, object]:
    """Return the subject and body of the published decision."""
    body = events_pb2.DecisionMade(
        decision=answer, borrower_ref=request.borrower_ref, decided_on=request.decided_on
    )
    return f"lending.v1.risk.decision_made.{answer.application_id}", body
