"""What auditors read is recorded before they are told: whose reads, by what, and under which id."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, NamedTuple

from google.protobuf import json_format
from google.protobuf.message import Message

from services.ledger import wire_audit
from services.ledger.application.recorded_reads import RecordedReads
from services.ledger.domain.book_events import AnswerRead
from services.ledger.entrypoints.spool import Spool
from shared.runtime.identity import actor, caller

READER, PURPOSE, READ_ID = "duebook-reader", "duebook-purpose", "duebook-read-id"
"""Metadata: who reads and what for, in a call; the id of its record, after its answer."""

LOAN_READS = ("GetLoan", "ExplainLoan", "CompareLoan")
"""Reads on two clocks: the same question has the same answer for ever."""

LEDGER_READS = (*LOAN_READS, "ListLoans", "ListLoanEvents", "GetTrialBalance")
STREAM_READS = ("StreamEvents", "CompareBook")
AUDIT_READS = ("ProveEvent", *STREAM_READS)
"""Checkpoints and consistency tell nothing of a loan: they are never recorded."""

Read = Callable[[Any, Any], Awaitable[Any]]
ReadParts = Callable[[Any, Any], AsyncIterator[Any]]


class Reader(NamedTuple):
    """Who reads, as the certificate or else the metadata says, and what for."""

    name: str
    purpose: str


def reader_of(context: Any) -> Reader:
    """
    Return who reads.

    Raises:
        ActorIsNotCaller: the metadata name somebody else than the certificate.
    """
    said = {key: str(value)[:200] for key, value in context.invocation_metadata() or ()}
    name = actor(said.get(READER, ""), field=READER, otherwise="")
    return Reader(name, said.get(PURPOSE, ""))


def is_recorded(context: Any) -> bool:
    """Return whether what is read is recorded: a role of the caller asks for it, or the call."""
    known = caller()
    if known is not None and known.recorded:
        return True
    return any(key == READER for key, _ in context.invocation_metadata() or ())


async def record(
    reads: RecordedReads, request: Message, answer_sha256: str, who: Reader
) -> AnswerRead:
    """Record an answer in the log under its rpc's name."""
    return await reads.record(
        type(request).__name__.removesuffix("Request"),
        json_format.MessageToJson(request, indent=None),
        answer_sha256,
        reader=who.name,
        purpose=who.purpose,
    )


@dataclass(frozen=True)
class Recorded:
    """
    A servicer, some of whose reads are recorded where the caller's reads are.

    Such a question is first made to state its dates and instants. The answer carries the id of
    its record in the trailing metadata `duebook-read-id`. One in parts is kept in a file until it
    is recorded; only how far it has come is told before.
    """

    service: Any
    names: Sequence[str]
    reads: RecordedReads

    def __getattr__(self, name: str) -> Any:
        """Return the rpc of a name."""
        found = getattr(self.service, name)
        if name not in self.names:
            return found
        return self._around_parts(found) if name in STREAM_READS else self._around(found)

    def _around(self, read: Read) -> Read:
        async def told(request: Any, context: Any) -> Any:
            if not is_recorded(context):
                return await read(request, context)
            who = reader_of(context)
            self._state(request)
            answer = await read(request, context)
            kept = await record(self.reads, request, wire_audit.answer_sha256(answer), who)
            context.set_trailing_metadata(((READ_ID, kept.read_id),))
            return answer

        return told

    def _around_parts(self, read: ReadParts) -> ReadParts:
        async def told(request: Any, context: Any) -> AsyncIterator[Any]:
            if not is_recorded(context):
                async for part in read(request, context):
                    yield part
                return
            who = reader_of(context)
            with Spool() as spool:
                async for part in read(request, context):
                    if part.HasField("progress"):
                        yield part
                    else:
                        spool.put(part)
                kept = await record(self.reads, request, spool.sha256, who)
                context.set_trailing_metadata(((READ_ID, kept.read_id),))
                for part in spool.parts():
                    yield part

        return told

    def _state(self, request: Any) -> None:
        """State the dates and instants that a question leaves to the ledger, in its looks too."""
        fields = request.DESCRIPTOR.fields_by_name
        for look in ("before", "after"):
            if look in fields:
                self._state(getattr(request, look))
        on = self.reads.writer.business_on
        if "effective_on" in fields and not request.effective_on and on is not None:
            request.effective_on = on.isoformat()
        if "known_at" in fields and not request.known_at:
            settled = self.reads.writer.settled_at(self.reads.now()).astimezone(UTC)
            request.known_at = settled.isoformat()
