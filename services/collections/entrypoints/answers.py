"""What a request was answered before, for rpcs that ask somebody else first or afterwards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from google.protobuf.message import Message as Proto

from shared.runtime.records import Records, Work

Answer = TypeVar("Answer", bound=Proto)


async def first_answer(records: Records, request: Any, kind: type[Answer]) -> Answer | None:
    """Return the first answer to a request, whatever others say by now; None when it is new."""
    async with records.work() as work:
        return await work.answered(request, kind)


async def answer_after(
    records: Records,
    request: Any,
    kind: type[Answer],
    act: Callable[[Work], Awaitable[Answer]],
    carry_out: Callable[[], Awaitable[None]],
    shown: Callable[[Work], Awaitable[Answer]],
) -> Answer:
    """
    Answer a request that goes on elsewhere after it was kept; again, it gets the same answer.

    Args:
        act: What is done here, once.
        carry_out: What follows elsewhere; where it fails, the same request goes on from there.
        shown: How it stands then: what was answered first is answered for ever.
    """
    # Beside the request's own answer, which it has from the moment it was kept.
    last = type(request).FromString(request.SerializeToString())
    last.request_id = f"{request.request_id}/carried"
    known = await first_answer(records, last, kind)
    if known is not None:
        return known
    await records.answer_once(request, kind, act)
    await carry_out()
    return await records.answer_once(last, kind, shown)
