"""Many repayments in one call: read each, post them together, say what became of each."""

from __future__ import annotations

import asyncio
from datetime import datetime

from lending.ledger.v1 import ledger_service_pb2 as pb

from services.ledger import wire
from services.ledger.application.asks import Ask, BatchRefused
from services.ledger.application.posting import Writer
from services.ledger.application.reading import facts_of
from services.ledger.domain.book_events import RequestAnswered
from services.ledger.domain.events import RepaymentPosted
from services.ledger.domain.timeline import Allocation
from services.ledger.wire_reasons import allocation_message
from shared.kernel.errors import InvalidArgument, LendingError

ITEMS_MAX = 20_000


class BatchSizeInvalid(InvalidArgument):
    """A batch has 1 to 20,000 items."""


class NotInBatch(InvalidArgument):
    """An item of a batch is posted or refused; to ask for effects, call PostRepayment."""


async def post_batch(
    writer: Writer, request: pb.BatchPostRepaymentsRequest, now: datetime
) -> pb.BatchPostRepaymentsResponse:
    """Post the items of a request; items that cannot be read are refused on their own."""
    if not 1 <= len(request.requests) <= ITEMS_MAX:
        raise BatchSizeInvalid(
            f"{len(request.requests)} items", field="requests", expected=f"1 to {ITEMS_MAX}"
        )
    with writer.recording(now):
        read = await asyncio.to_thread(_read, request, now)
        asks = [item for item in read if isinstance(item, Ask)]
        if request.atomic and len(asks) < len(read):
            for ask in asks:
                ask.outcome = BatchRefused("another item cannot be read")
        elif asks:
            await writer.ask_all(asks, atomic=request.atomic)
    return await asyncio.to_thread(_said, writer, request, read)


def _read(request: pb.BatchPostRepaymentsRequest, now: datetime) -> list[Ask | LendingError]:
    read: list[Ask | LendingError] = []
    for item in request.requests:
        try:
            if item.validate_only:
                raise NotInBatch("it is in a batch", field="validate_only", expected="false")
            hashes = wire.body_sha256(item), wire.former_sha256(item)
            read.append(Ask(wire.repayment(item, now), *hashes))
        except LendingError as refusal:
            read.append(refusal)
    return read


def _said(
    writer: Writer, request: pb.BatchPostRepaymentsRequest, read: list[Ask | LendingError]
) -> pb.BatchPostRepaymentsResponse:
    said = pb.BatchPostRepaymentsResponse()
    for item, one in zip(request.requests, read, strict=True):
        result = said.results.add(repayment_id=item.request_id)
        outcome = one.outcome if isinstance(one, Ask) else one
        if isinstance(outcome, RequestAnswered):
            assert isinstance(one, Ask)
            said.posted += 1
            result.loan_version = outcome.loan_version
            slots = _allocations(writer, one, outcome)
            result.allocations.extend(allocation_message(slot) for slot in slots)
        else:
            result.refusal.CopyFrom(_refusal(outcome))
    return said


def _refusal(outcome: Exception | None) -> pb.Refusal:
    if not isinstance(outcome, LendingError):
        return pb.Refusal(reason="INTERNAL", message="it is not known why", retry=True)
    return pb.Refusal(
        reason=outcome.reason,
        field=outcome.field,
        expected=outcome.expected,
        message=outcome.message,
        retry=outcome.retry,
    )


def _allocations(writer: Writer, ask: Ask, answered: RequestAnswered) -> tuple[Allocation, ...]:
    """Return where the money went: from what was just recorded, else from the log."""
    facts = ask.events or facts_of(writer.log, answered.loan_id, answered.loan_version)
    wanted = ask.command.request_id
    for fact in facts:
        if isinstance(fact, RepaymentPosted) and fact.repayment_id == wanted:
            return fact.allocations
    return ()
