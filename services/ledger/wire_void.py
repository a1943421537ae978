"""Requests that make another request void."""

from __future__ import annotations

from datetime import datetime

from lending.ledger.v1 import ledger_service_pb2 as pb

from services.ledger.domain.book_events import RequestVoided
from shared.runtime.identity import actor
from shared.runtime.requests import a_loan, a_text, an_id


def voided(request: pb.VoidRequestRequest, now: datetime) -> RequestVoided:
    """Read which request is to have no effect."""
    return RequestVoided(
        recorded_at=now,
        request_id=an_id(request.request_id, "request_id"),
        loan_id=a_loan(request.loan_id),
        reason=a_text(request.reason, "reason"),
        voided_by=actor(),
    )


def voided_message(event: RequestVoided) -> pb.VoidRequestResponse:
    """Return what is said of a request that is void."""
    return pb.VoidRequestResponse(
        request_id=event.request_id, recorded_at=event.recorded_at.isoformat()
    )
