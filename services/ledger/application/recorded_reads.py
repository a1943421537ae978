"""Who was told what: each answer to an auditor is recorded first, and can be given again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from services.ledger.application.posting import Writer
from services.ledger.domain.book_events import AnswerRead
from shared.kernel.errors import NotFound

UNNAMED = "unnamed"


class ReadNotFound(NotFound):
    """No read of this id was recorded."""


@dataclass(slots=True)
class RecordedReads:
    """Writes reads to the log: no record, no answer."""

    writer: Writer
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    async def record(
        self, method: str, request_json: str, answer: bytes, *, reader: str, purpose: str
    ) -> AnswerRead:
        """
        Record an answer before it is given.

        Args:
            method: The rpc.
            request_json: The question, with every date, instant and checkpoint stated.
            answer: The answer's bytes; only their hash is kept.
            reader: Who reads; "" is recorded as unnamed.
            purpose: What for.
        Raises:
            LogUnavailable: it cannot be recorded, so it must not be answered.
        """
        event = AnswerRead(
            read_id=self.new_id(),
            recorded_at=self.now(),
            reader=reader or UNNAMED,
            purpose=purpose,
            method=method,
            request_json=request_json,
            answer_sha256=hashlib.sha256(answer).hexdigest(),
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
        """
        stored = await asyncio.to_thread(self.writer.log.stream, f"read/{read_id}")
        if not stored or not isinstance(stored[0], AnswerRead):
            raise ReadNotFound(f"no read {read_id} was recorded", field="read_id")
        return stored[0]
