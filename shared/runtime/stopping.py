"""Work that ends when its process is told to stop, or not before it is done."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Value = TypeVar("Value")
GOING_ON: set[asyncio.Future[Any]] = set()
"""What nobody may wait for any more; the loop itself would let go of it."""


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, Value]) -> Value | None:
    """Do some work, or return None when told to stop before it is done."""
    tasks = working, _ = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def to_its_end(work: Coroutine[Any, Any, Value]) -> Value:
    """
    Do some work that is not left half-way when who waits for it is cancelled.

    A caller that hangs up cancels its handler; a statement cut in its middle keeps SQLite's lock
    for as long as somebody still holds its failure.
    """
    task = asyncio.ensure_future(work)
    GOING_ON.add(task)
    task.add_done_callback(GOING_ON.discard)
    return await asyncio.shield(task)
