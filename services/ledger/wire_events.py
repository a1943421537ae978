"""Stored facts as published delinquency events: numbered without gaps, and chained, per loan."""

from __future__ import annotations

from typing import NamedTuple

from lending.ledger.v1 import events_pb2, loan_pb2
from msgspec import UNSET

from services.ledger.application.following import Followed
from services.ledger.domain import events as ev
from services.ledger.domain.delinquency import Standing, Transition
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.wire_reasons import say_what, say_why
from shared.runtime.retirement import retirement_headers
from shared.runtime.streams import DELINQUENCY, STATE
from shared.subscriber.chain import Place, event_hash


class Outgoing(NamedTuple):
    """One message, ready to publish, and the place of its loan after it."""

    subject: str
    id: str
    place: Place
    body: bytes
    headers: dict[str, str]


_TYPE_ENUM = events_pb2.DelinquencyEventType.DESCRIPTOR
_TYPES: dict[type[ev.Fact], str] = {
    ev.RepaymentPosted: "REPAYMENT_POSTED",
    ev.RepaymentReversed: "REPAYMENT_REVERSED",
    ev.TimelineRestated: "TIMELINE_RESTATED",
    ev.TermsRestructured: "RESTRUCTURED",
    ev.LoanAccelerated: "ACCELERATED",
    ev.AccelerationWithdrawn: "ACCELERATION_WITHDRAWN",
    ev.LoanChargedOff: "CHARGED_OFF",
    ev.LoanTransferred: "TRANSFERRED",
    ev.RecoveryPosted: "RECOVERY_POSTED",
    ev.LoanSettled: "SETTLED",
    ev.DisbursementReturned: "DISBURSEMENT_RETURNED",
    ev.DelinquencyPaused: "PAUSED",
    ev.DelinquencyResumed: "RESUMED",
    ev.ChargeApplied: "CHARGE_APPLIED",
    ev.ChargeWaived: "CHARGE_WAIVED",
    ev.DelinquencyPolicyChanged: "POLICY_CHANGED",
}


def outgoing_of(row: Followed, place: Place, subject: str = DELINQUENCY) -> list[Outgoing]:
    """
    Return the messages of one stored fact.

    Args:
        row: The fact, and the account after it.
        place: Of the loan's last message before.
        subject: What the subjects begin with.
    """
    messages = []
    for name, transition in told(row.event):
        messages.append(_message(row, name, transition, place, subject))
        place = messages[-1].place
    return messages


def told(event: ev.Fact) -> list[tuple[str, Transition | None]]:
    """Return what a fact is told to the world as, in order; nothing for most facts."""
    if isinstance(event, ev.TransitionRecorded):
        return [(str(t.type), t) for t in event.transitions]
    name = _TYPES.get(type(event))
    if isinstance(event, ev.ChargeApplied | ev.ChargeWaived) and event.told is not True:
        return []
    return [(name, None)] if name else []


def _message(
    row: Followed, name: str, transition: Transition | None, before: Place, subject: str
) -> Outgoing:
    event, sequence = row.event, before.sequence + 1
    body = events_pb2.DelinquencyEvent(
        loan_id=event.loan_id,
        borrower_ref=row.account.borrower_ref,
        sequence=sequence,
        type=events_pb2.DelinquencyEventType.Value(f"DELINQUENCY_EVENT_TYPE_{name}"),
        effective_on=event.effective_on.isoformat(),
        recorded_at=event.recorded_at.isoformat(),
        delinquency=delinquency_message(row.account.standing),
        amount_minor=getattr(event, "amount_minor", 0),
        currency=row.account.terms.currency,
        reason=event.reason,
        log_version=row.logged.version,
    )
    if transition is not None:
        body.scheme = transition.scheme
        body.bucket_from, body.bucket_to = transition.bucket_from, transition.bucket_to
    if transition is not None and isinstance(event, ev.TransitionRecorded):
        say_why(body, event, transition, row.account)
    if isinstance(event, ev.TimelineRestated):
        body.restated.CopyFrom(_restated(event))
    say_what(body, event, row.account)
    # Map entries in the order of their keys: the same fact is the same bytes, so the same hash.
    sent = body.SerializeToString(deterministic=True)
    headers = _headers(row, name, before)
    headers |= retirement_headers(_TYPE_ENUM, f"DELINQUENCY_EVENT_TYPE_{name}", body)
    place = Place(sequence, event_hash(before.hash, sent))
    return Outgoing(
        f"{subject}.{name.lower()}.{event.loan_id}", headers["ce-id"], place, sent, headers
    )


def _headers(row: Followed, name: str, before: Place) -> dict[str, str]:
    event, sequence = row.event, before.sequence + 1
    headers = {
        "ce-specversion": "1.0",
        "ce-id": f"{event.loan_id}/{sequence}",
        "ce-source": "duebook/ledger",
        "ce-type": f"lending.ledger.v1.{name}",
        "ce-time": f"{event.effective_on.isoformat()}T00:00:00Z",
        "ce-recordedtime": event.recorded_at.isoformat(),
        "ce-subject": event.loan_id,
        "ce-sequence": str(sequence),
        "ce-previoushash": before.hash,
        "ce-causation": f"{event.loan_id}@{row.logged.version}",
        "content-type": "application/protobuf",
    }
    return headers | ({"traceparent": event.traceparent} if event.traceparent else {})


def _restated(event: ev.TimelineRestated) -> events_pb2.Restated:
    lost = (event.charged_off_before_minor, event.charged_off_after_minor)
    before, after = (None if each is UNSET else each for each in lost)
    return events_pb2.Restated(
        charged_off_before_minor=before,
        charged_off_after_minor=after,
        superseded_log_versions=event.superseded_versions,
        to_on=event.to_on.isoformat(),
        days_past_due_max_before=event.days_past_due_max_before,
        days_past_due_max_after=event.days_past_due_max_after,
        reallocated_repayment_ids=event.reallocated,
    )


def state_of(account: LoanAccount, place: Place) -> Outgoing:
    """Return the message that says how late a loan is, after its message at a place."""
    loan_id = account.loan_id
    body = events_pb2.DelinquencyState(
        loan_id=loan_id,
        borrower_ref=account.borrower_ref,
        sequence=place.sequence,
        hash=place.hash,
        status=str(account.status),
        delinquency=delinquency_message(account.standing),
        standing_on=account.standing_on.isoformat() if account.standing_on else "",
        recorded_at=account.known_at.isoformat() if account.known_at else "",
        currency=account.terms.currency,
    )
    headers = {
        "ce-specversion": "1.0",
        "ce-id": f"{loan_id}/{place.sequence}/state",
        "ce-source": "duebook/ledger",
        "ce-type": "lending.ledger.v1.DelinquencyState",
        "ce-subject": loan_id,
        "ce-sequence": str(place.sequence),
        "content-type": "application/protobuf",
    }
    sent = body.SerializeToString(deterministic=True)
    return Outgoing(f"{STATE}.{loan_id}", headers["ce-id"], place, sent, headers)


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
