"""Keep the read models in step with the log, and let readers wait for what they just posted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from services.ledger.application.following import Follower, Page
from services.ledger.application.ports import Log
from shared.kernel.errors import Unavailable

GATHER_SECONDS = 0.2
"""How long changes of the same loans are gathered while nobody waits for them."""

SHORT_PAGE = 500
POLL_SECONDS = 0.5
CATCH_UP_SECONDS_MAX = 30.0


class ReadModelsBehind(Unavailable):
    """The read models have not reached the log in time: ask again."""


class PositionMoved(Exception):
    """Somebody else has moved the tables on: read their position, and go on from there."""


class CaughtUp(Protocol):
    """Lets a reader wait for what was just posted."""

    async def caught_up(self) -> None:
        """Wait until everything committed before this call can be read."""


class Tables(Protocol):
    """Where rows and position are written together."""

    async def position(self, follower: str) -> int:
        """Return how far a follower has come."""

    async def apply(self, page: Page, after: int) -> None:
        """Write a page and its position in one transaction, or raise PositionMoved."""


@dataclass(slots=True)
class Projection:
    """Follows the log into the tables."""

    log: Log
    follower: Follower
    tables: Tables
    position: int = 0
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)
    hurried: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, stop: asyncio.Event) -> None:
        """Apply page after page until told to stop."""
        async with self.moved:
            self.position = await self.tables.position("read-models")
            self.moved.notify_all()
        while not stop.is_set():
            self.woken.clear()
            before = self.position
            if not await self.step():
                await _wait(self.woken, POLL_SECONDS)
            if self.position - before < SHORT_PAGE:
                await _wait(self.hurried, GATHER_SECONDS)
                self.hurried.clear()

    async def step(self) -> bool:
        """Apply one page; return whether there was one."""
        page = await asyncio.to_thread(self.follower.page, self.position, aged_apart=True)
        reached = page.reached
        if reached == self.position:
            return False
        try:
            await self.tables.apply(page, self.position)
        except PositionMoved:
            # Tables that were built again have taken the place of those that we wrote to.
            reached = await self.tables.position("read-models")
        async with self.moved:
            self.position = reached
            self.moved.notify_all()
        return True

    async def caught_up(self) -> None:
        """
        Wait until everything committed before this call can be read.

        Raises:
            ReadModelsBehind: not within half a minute.
        """
        wanted = await asyncio.to_thread(self.log.last_position)
        if self.position >= wanted:
            return
        self.woken.set()
        self.hurried.set()
        try:
            async with asyncio.timeout(CATCH_UP_SECONDS_MAX), self.moved:
                await self.moved.wait_for(lambda: self.position >= wanted)
        except TimeoutError:
            raise ReadModelsBehind("the read models are behind the log") from None


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
