"""Build the read models again beside the live ones, compare them, and switch, while posts go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from services.ledger.application.following import Follower, Page
from services.ledger.application.ports import Log
from services.ledger.application.verifying import Verdict

PAGE = 2_000
SWITCHES_MAX = 20
LOOKS_MAX, LOOK_SECONDS = 300, 0.1


class Beside(Protocol):
    """Tables beside the live ones, followed from the first event on."""

    async def begin(self) -> int:
        """Create the tables, or go on with those of a run that was cut short; say how far."""

    async def apply(self, page: Page, after: int) -> None:
        """Write a page and the position that it reaches, in one transaction."""

    async def live_position(self) -> int:
        """Return how far the live tables have come."""

    async def compare(self, reach: Callable[[int], Awaitable[int]]) -> list[Verdict] | None:
        """
        Hold every row against the live one, all as of one position; None if that is not reached.

        Args:
            reach: Asked to bring these tables to exactly the position of the live ones.
        """

    async def switch(self, position: int) -> bool:
        """Put these tables, at a position, in place of the live ones; False if they are behind."""


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild found: one verdict per table; `switched` if the new tables are live now."""

    verdicts: list[Verdict]
    switched: bool


@dataclass(slots=True)
class Rebuilding:
    """One rebuild."""

    log: Log
    follower: Follower
    beside: Beside
    say: Callable[[int, int], None] = lambda done, of: None
    position: int = 0

    async def run(self, *, replace: bool = False) -> Rebuilt:
        """
        Build, compare, and switch if nothing differs.

        Args:
            replace: Switch even where rows differ: the live ones are taken to be wrong.
        """
        self.position = await self.beside.begin()
        await self.reach(await self.beside.live_position())
        verdicts = await self._compared()
        if not replace and any(verdict.different for verdict in verdicts):
            return Rebuilt(verdicts, switched=False)
        for _ in range(SWITCHES_MAX):
            await self.reach(await asyncio.to_thread(self.log.last_position))
            if await self.beside.switch(self.position):
                return Rebuilt(verdicts, switched=True)
        return Rebuilt(verdicts, switched=False)

    async def _compared(self) -> list[Verdict]:
        for _ in range(LOOKS_MAX):
            verdicts = await self.beside.compare(self.reach)
            if verdicts is not None:
                return verdicts
            await asyncio.sleep(LOOK_SECONDS)
        return [Verdict("live and rebuilt at one position", 0, ["the live tables stay behind"])]

    async def reach(self, position: int) -> int:
        """Follow the log up to a position and no further; return the one that was reached."""
        while self.position < position:
            page = await asyncio.to_thread(self.follower.page, self.position, PAGE, position)
            if page.reached == self.position:
                break
            await self.beside.apply(page, self.position)
            self.position = page.reached
            self.say(self.position, position)
        return self.position
