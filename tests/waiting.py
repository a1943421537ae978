"""Wait for what is to be so, not for a time; and what took long, less what the machine stood."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

LOOKS_MAX, LOOK_SECONDS = 600, 0.1
TICK_SECONDS, LATE_SECONDS = 0.05, 0.2


async def until(is_so: Callable[[], Awaitable[bool]]) -> bool:
    """Look until it is so, many times: while the machine stands still nothing is looked at."""
    for _ in range(LOOKS_MAX):
        if await is_so():
            return True
        await asyncio.sleep(LOOK_SECONDS)
    return await is_so()


@dataclass
class Took:
    """How long something took, without the time in which this process did not get to run."""

    began: float
    stood: float = 0.0

    @property
    def seconds(self) -> float:
        return monotonic() - self.began - self.stood


@asynccontextmanager
async def timed() -> AsyncIterator[Took]:
    """Measure meanwhile: a tick that comes late says how long nothing ran."""
    took = Took(monotonic())

    async def tick() -> None:
        while True:
            before = monotonic()
            await asyncio.sleep(TICK_SECONDS)
            late = monotonic() - before - TICK_SECONDS
            took.stood += late if late > LATE_SECONDS else 0.0

    ticking = asyncio.create_task(tick())
    try:
        yield took
    finally:
        ticking.cancel()
