"""Who was told what: each answer to an auditor is recorded first, and can be given again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.ledger.application.posting import Writer
from services.ledger.domain.book_events import AnswerRead
from shared.kernel.errors import NotFound, Refused

UNNAMED = "unnamed"


PERIOD = "ExportPeriod"
"""What a read of the evidence about a period is recorded as."""


class ReadNotFound(NotFound):
    """No read of this id was recorded."""


class ReadNotRepeatable(Refused):
    """Its answer was about the log or the lists as they then stood: only its hash is kept."""


class ReadOfPeriod(Refused):
    """It was evidence about a period: book evidence makes it again, from what was recorded."""


def read_of(
    method: str,
    request_json: str,
    answer_sha256: str,
    *,
    read_id: str,
    now: datetime,
    reader: str,
    purpose: str,
) -> AnswerRead:
    """Return what is recorded of an answer."""
    return AnswerRead(
        read_id=read_id,
        recorded_at=now,
        reader=reader or UNNAMED,
        purpose=purpose,
        method=method,
        request_json=request_json,
        answer_sha256=answer_sha256,
    )


@dataclass(slots=True)
class RecordedReads:
    """Writes reads to the log: no record, no answer."""

    writer: Writer
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    async def record(
        self, method: str, request_json: str, answer_sha256: str, *, reader: str, purpose: str
    ) -> AnswerRead:
        """
        Record an answer before it is given.

        Args:
            method: The rpc.
            request_json: The question, with every date, instant and checkpoint stated.
            answer_sha256: Hash of the answer's bytes; they are not kept.
            reader: Who reads; "" is recorded as unnamed.
            purpose: What for.
        Raises:
            LogUnavailable: it cannot be recorded, so it must not be answered.
        """
        event = read_of(
            method,
            request_json,
            answer_sha256,
            read_id=self.new_id(),
            now=self.now(),
            reader=reader,
            purpose=purpose,
        )
        stream = [(f"read/{event.read_id}", 0, [event])]
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self.writer.thread, self.writer.log.append, stream)
        self.writer.on_commit()
        return event

    async def find(self, read_id: str) -> AnswerRead:
        """
        Return what was recorded of a read.

        Raises:
            ReadNotFound: there is no such read.
            ReadOfPeriod: it is none that a running ledger answers again.
        """
        stored = await asyncio.to_thread(self.writer.log.stream, f"read/{read_id}")
        if not stored or not isinstance(stored[0], AnswerRead):
            raise ReadNotFound(f"no read {read_id} was recorded", field="read_id")
        read = stored[0]
        if read.method == PERIOD:
            raise ReadOfPeriod(f"{read.request_json} gave {read.answer_sha256}", field="read_id")
        return read
