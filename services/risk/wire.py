"""Requests into applications, decisions into messages."""

from __future__ import annotations

from datetime import date

from lending.ledger.v1 import events_pb2 as ledger_events
from lending.risk.v1 import events_pb2
from lending.risk.v1 import risk_service_pb2 as pb

from services.risk.domain.decision import Decision
from services.risk.domain.early_warning import Alert, Heard
from services.risk.domain.exposure import ProductExposure, hhi, shares
from services.risk.domain.policy import Application
from shared.kernel.dates import parse_date
from shared.kernel.errors import InvalidArgument
from shared.runtime.requests import a_number, a_text, an_amount, an_id


class CurrenciesDiffer(InvalidArgument):
    """The amounts of one application are in one currency."""


class IndicatorUnknown(InvalidArgument):
    """The indicator is not one of this version."""


def application(request: pb.ScoreApplicationRequest) -> Application:
    """Read an application; everything wrong in it is named."""
    an_id(request.request_id, "request_id")
    parse_date(request.decided_on, field="decided_on")
    a_text(request.borrower_ref, "borrower_ref")
    amount_minor = an_amount(request.amount, "amount")
    for field in ("monthly_income", "monthly_debt_payments", "monthly_instalment"):
        if getattr(request, field).currency != request.amount.currency:
            raise CurrenciesDiffer(
                "one currency per application", field=field, expected=request.amount.currency
            )
    return Application(
        application_id=an_id(request.application_id, "application_id"),
        product=an_id(request.product, "product"),
        currency=request.amount.currency,
        amount_minor=amount_minor,
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


def heard(event: ledger_events.DelinquencyEvent) -> Heard:
    """Read a delinquency event."""
    name = ledger_events.DelinquencyEventType.Name(event.type)
    return Heard(
        loan_id=event.loan_id,
        borrower_ref=event.borrower_ref,
        sequence=event.sequence,
        type=name.removeprefix("DELINQUENCY_EVENT_TYPE_"),
        effective_on=date.fromisoformat(event.effective_on),
        amount_minor=event.amount_minor,
    )


def indicator_name(indicator: int) -> str:
    """Return the domain's name of an indicator; empty means every indicator."""
    if indicator not in pb.AlertIndicator.values():
        raise IndicatorUnknown(f"indicator {indicator}", field="indicator", expected="0 to 4")
    if indicator == pb.ALERT_INDICATOR_UNSPECIFIED:
        return ""
    return pb.AlertIndicator.Name(indicator).removeprefix("ALERT_INDICATOR_")


def alert_message(alert: Alert) -> pb.Alert:
    """Return an early warning as its message."""
    return pb.Alert(
        alert_id=alert.alert_id,
        borrower_ref=alert.borrower_ref,
        loan_id=alert.loan_id,
        indicator=pb.AlertIndicator.Value(f"ALERT_INDICATOR_{alert.indicator}"),
        raised_on=alert.raised_on.isoformat(),
        text_en=alert.text_en,
        text_zh=alert.text_zh,
        evidence=alert.evidence,
        policy_version=alert.policy_version,
    )


def alert_raised(alert: Alert) -> tuple[str, events_pb2.AlertRaised]:
    """Return the subject and body of the published warning."""
    body = events_pb2.AlertRaised(alert=alert_message(alert))
    return f"lending.v1.risk.alert_raised.{alert.loan_id}", body


def exposure_message(currency: str, products: list[ProductExposure]) -> pb.Exposure:
    """Return the exposure of one currency as its message."""
    return pb.Exposure(
        currency=currency,
        products=[
            pb.ProductExposure(
                product=one.product,
                approved=one.approved,
                amount_minor=one.amount_minor,
                share=str(share),
            )
            for one, share in zip(products, shares(products), strict=True)
        ],
        amount_minor=sum(one.amount_minor for one in products),
        hhi=hhi(products),
    )
