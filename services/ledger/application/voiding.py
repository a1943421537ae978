"""A request id is used up before its request comes: what is still on its way has no effect."""

from __future__ import annotations

import asyncio

from services.ledger.application.ports import StreamChanged
from services.ledger.application.posting import Writer
from services.ledger.domain.book_events import RequestAnswered, RequestVoided
from services.ledger.domain.refusals import LoanNotFound, RequestIdReused


async def void(writer: Writer, event: RequestVoided, body_sha256: str) -> RequestVoided:
    """
    Record that a request is void, unless it had its effect; the same again gets the first answer.

    Args:
        body_sha256: Hash of what asks for it: whatever else comes under the id has another.
    Raises:
        RequestIdReused: the request came first.
        LoanNotFound: there is no such loan.
    """
    loop = asyncio.get_running_loop()
    first = await loop.run_in_executor(writer.thread, _void, writer, event, body_sha256)
    writer.on_commit()
    return first


def _void(writer: Writer, event: RequestVoided, body_sha256: str) -> RequestVoided:
    """Take its turn on the writer's thread; another writer may still be first, then it has won."""
    if writer.account(event.loan_id) is None:
        raise LoanNotFound(f"loan {event.loan_id} does not exist", field="loan_id")
    answer = RequestAnswered(
        request_id=event.request_id,
        body_sha256=body_sha256,
        loan_id=event.loan_id,
        loan_version=0,
        business_on=None,
    )
    place = f"void/{event.request_id}"
    try:
        writer.log.append([(place, 0, [event]), (f"request/{event.request_id}", 0, [answer])])
    except StreamChanged:
        if writer.log.stream(f"request/{event.request_id}") == [answer]:
            first = writer.log.stream(place)[0]
            assert isinstance(first, RequestVoided)
            return first
        raise RequestIdReused(
            "the request came first", field="request_id", expected="no step; it had its effect"
        ) from None
    return event
