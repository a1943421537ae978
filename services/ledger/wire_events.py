"""Stored facts as published delinquency events: one stable number per message of a loan."""

from __future__ import annotations

from typing import NamedTuple

from lending.ledger.v1 import events_pb2, loan_pb2

from services.ledger.application.following import Followed
from services.ledger.domain import events as ev
from services.ledger.domain.delinquency import Standing, Transition


class Outgoing(NamedTuple):
    """One message, ready to publish."""

    subject: str
    id: str
    sequence: int
    body: bytes
    headers: dict[str, str]


_TYPES: dict[type[ev.Fact], str] = {
    ev.RepaymentPosted: "REPAYMENT_POSTED",
    ev.RepaymentReversed: "REPAYMENT_REVERSED",
    ev.TimelineRestated: "TIMELINE_RESTATED",
    ev.TermsRestructured: "RESTRUCTURED",
    ev.LoanChargedOff: "CHARGED_OFF",
    ev.LoanTransferred: "TRANSFERRED",
    ev.RecoveryPosted: "RECOVERY_POSTED",
    ev.LoanSettled: "SETTLED",
    ev.DelinquencyPaused: "PAUSED",
    ev.DelinquencyResumed: "RESUMED",
}


def outgoing_of(row: Followed, sequence: int) -> list[Outgoing]:
    """Return the messages of one stored fact, numbered from `sequence`."""
    return [
        _message(row, name, transition, sequence + k)
        for k, (name, transition) in enumerate(told(row.event))
    ]


def told(event: ev.Fact) -> list[tuple[str, Transition | None]]:
    """Return what a fact is told to the world as, in order; nothing for most facts."""
    if isinstance(event, ev.TransitionRecorded):
        return [(str(t.type), t) for t in event.transitions]
    name = _TYPES.get(type(event))
    return [(name, None)] if name else []


def _message(row: Followed, name: str, transition: Transition | None, sequence: int) -> Outgoing:
    event, account = row.event, row.account
    body = events_pb2.DelinquencyEvent(
        loan_id=event.loan_id,
        borrower_ref=account.borrower_ref,
        sequence=sequence,
        type=events_pb2.DelinquencyEventType.Value(f"DELINQUENCY_EVENT_TYPE_{name}"),
        effective_on=event.effective_on.isoformat(),
        recorded_at=event.recorded_at.isoformat(),
        delinquency=delinquency_message(account.standing),
        amount_minor=getattr(event, "amount_minor", 0),
        currency=account.terms.currency,
        reason=event.reason,
    )
    if transition is not None:
        body.scheme = transition.scheme
        body.bucket_from, body.bucket_to = transition.bucket_from, transition.bucket_to
    event_id = f"{event.loan_id}/{sequence}"
    headers = {
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-source": "duebook/ledger",
        "ce-type": f"lending.ledger.v1.{name}",
        "ce-time": f"{event.effective_on.isoformat()}T00:00:00Z",
        "ce-recordedtime": event.recorded_at.isoformat(),
        "ce-subject": event.loan_id,
        "ce-sequence": str(sequence),
        "ce-causation": f"{event.loan_id}@{row.logged.version}",
    }
    if event.traceparent:
        headers["traceparent"] = event.traceparent
    subject = f"lending.v1.delinquency.{name.lower()}.{event.loan_id}"
    return Outgoing(subject, event_id, sequence, body.SerializeToString(), headers)


def delinquency_message(standing: Standing) -> loan_pb2.Delinquency:
    """Return a standing as its message."""
    return loan_pb2.Delinquency(
        days_past_due=standing.days_past_due,
        oldest_due_on=standing.oldest_due_on.isoformat() if standing.oldest_due_on else "",
        principal_overdue_minor=standing.principal_overdue_minor,
        interest_overdue_minor=standing.interest_overdue_minor,
        instalments_overdue=standing.instalments_overdue,
        minor=standing.minor,
        major=standing.major,
        partial=standing.partial,
        full=standing.full,
        continuous=standing.continuous,
        buckets=standing.buckets,
        charges_overdue_minor=standing.charges_overdue_minor,
        days_paused=standing.days_paused,
    )
