"""Events into signs; warnings, exposure and figures into messages."""

from __future__ import annotations

from datetime import date, datetime

from lending.ledger.v1 import events_pb2 as ledger_events
from lending.risk.v1 import events_pb2
from lending.risk.v1 import risk_service_pb2 as pb

from services.risk.domain.early_warning import Alert, AlertOutcome
from services.risk.domain.exposure import NONE, Exposure, hhi, shares
from services.risk.domain.indicators import Heard
from services.risk.domain.policy import Policy
from shared.kernel.errors import InvalidArgument

LARGEST = 20
GROUP = "group"
"""What stands for the loan in the subject of an alert of a group."""


class OutcomeUnknown(InvalidArgument):
    """The outcome of an alert is not one of this version."""


class IndicatorUnknown(InvalidArgument):
    """The indicator is not one of this version."""


def heard(event: ledger_events.DelinquencyEvent, now: datetime) -> Heard:
    """Read a delinquency event; what the ledger recorded days ago is heard late."""
    name = ledger_events.DelinquencyEventType.Name(event.type)
    return Heard(
        loan_id=event.loan_id,
        borrower_ref=event.borrower_ref,
        sequence=event.sequence,
        type=name.removeprefix("DELINQUENCY_EVENT_TYPE_"),
        effective_on=date.fromisoformat(event.effective_on),
        amount_minor=event.amount_minor,
        log_version=event.log_version,
        days_behind=max(0, (now - datetime.fromisoformat(event.recorded_at)).days),
        bucket_to=event.bucket_to if event.scheme == "m" else "",
        reason=event.reason,
    )


def indicator_name(indicator: int) -> str:
    """Return the domain's name of an indicator; empty means every indicator."""
    if indicator not in pb.AlertIndicator.values():
        raise IndicatorUnknown(f"indicator {indicator}", field="indicator", expected="0 to 14")
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
        owner=alert.owner,
        acknowledged_on=_date(alert.acknowledged_on),
        outcome=pb.AlertOutcome.Value(f"ALERT_OUTCOME_{alert.outcome}"),
        closed_on=_date(alert.closed_on),
        known_on=_date(alert.learned_on),
        group=alert.group,
    )


def alert_outcome(outcome: int) -> AlertOutcome:
    """Return the domain's outcome of an alert; unspecified leaves it open."""
    if outcome == pb.ALERT_OUTCOME_UNSPECIFIED:
        return AlertOutcome.UNSPECIFIED
    if outcome not in (pb.ALERT_OUTCOME_CONFIRMED, pb.ALERT_OUTCOME_FALSE_ALARM):
        raise OutcomeUnknown(f"outcome {outcome}", field="outcome", expected="0 to 2")
    return AlertOutcome(pb.AlertOutcome.Name(outcome).removeprefix("ALERT_OUTCOME_"))


def _date(on: date | None) -> str:
    return "" if on is None else on.isoformat()


def alert_told(alert: Alert) -> tuple[str, events_pb2.AlertRaised | events_pb2.AlertWithdrawn]:
    """Return the subject and body of what is published of a warning: raised, or withdrawn."""
    message = alert_message(alert)
    if alert.is_open:
        subject = f"lending.v1.risk.alert_raised.{alert.loan_id or GROUP}"
        return subject, events_pb2.AlertRaised(alert=message)
    subject = f"lending.v1.risk.alert_withdrawn.{alert.loan_id or GROUP}"
    return subject, events_pb2.AlertWithdrawn(alert=message)


def exposure_message(
    currency: str, found: dict[str, list[Exposure]], policy: Policy | None
) -> pb.Exposure:
    """Return the exposure of one currency as its message; limits are those of the policy."""
    products = found["product"]
    amounts = [one.amount_minor for one in products]
    return pb.Exposure(
        currency=currency,
        products=[
            pb.ProductExposure(
                product=one.value,
                approved=one.approved,
                amount_minor=one.amount_minor,
                share=str(share),
            )
            for one, share in zip(products, shares(amounts), strict=True)
            if one.approved
        ],
        amount_minor=sum(amounts),
        hhi=hhi(amounts),
        concentrations=[
            _concentration(dimension, values, policy) for dimension, values in sorted(found.items())
        ],
    )


def _concentration(
    dimension: str, values: list[Exposure], policy: Policy | None
) -> pb.Concentration:
    limits = policy.limits if policy else ()
    most = next((one.share_max for one in limits if one.dimension == dimension), None)
    parts = zip(shares([one.amount_minor for one in values]), values, strict=True)
    largest = sorted(parts, key=lambda pair: (-pair[1].amount_minor, pair[1].value))[:LARGEST]
    return pb.Concentration(
        dimension=dimension,
        hhi=hhi([one.amount_minor for one in values]),
        share_max="" if most is None else str(most),
        largest=[
            pb.ExposureSlice(
                value=one.value,
                approved=one.approved,
                amount_minor=one.amount_minor,
                share=str(share),
                above_limit=most is not None and one.value != NONE and share > most,
            )
            for share, one in largest
        ],
    )
