"""What a request was answered before, for rpcs that ask somebody else first."""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf.message import Message as Proto

from shared.runtime.records import Records

Answer = TypeVar("Answer", bound=Proto)


async def first_answer(records: Records, request: Any, kind: type[Answer]) -> Answer | None:
    """Return the first answer to a request, whatever others say by now; None when it is new."""
    async with records.work() as work:
        return await work.answered(request, kind)
