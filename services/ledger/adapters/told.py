"""What was told of each loan, and how far: in a table, and in memory for those told last."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from services.ledger.adapters.read_models import ReadModels, Told
from shared.kernel.bounded import Bounded

KNOWN_BYTES_MAX, KNOWN_BYTES = 16 << 20, 420
UNSAVED_MAX, SAVE_SECONDS = 5_000, 0.25


@dataclass(slots=True)
class ToldLoans:
    """
    Knows the last message of every loan; saves what is noted behind the publishing.

    Nothing waits for the table, and it is not written more often than every `save_seconds`: what
    it lacks after a crash is asked of the stream.
    """

    tables: ReadModels
    save_seconds: float = SAVE_SECONDS
    known: Bounded[Told] = field(
        default_factory=lambda: Bounded(KNOWN_BYTES_MAX, lambda _: KNOWN_BYTES)
    )
    unsaved: dict[str, Told] = field(default_factory=dict)
    reached: int = 0
    saved: int = 0
    saving: asyncio.Task[None] | None = None
    hurried: asyncio.Event = field(default_factory=asyncio.Event)

    async def begin(self) -> int:
        """Return the position to go on from; what was noted before is saved."""
        await self.save()
        self.known.clear()
        self.reached = self.saved = await self.tables.position("relay")
        return self.reached

    async def forget(self) -> None:
        """Forget everything, in the table too: the log is told from its start."""
        await self.save()
        await self.tables.forget_told()
        self.known.clear()
        self.reached = self.saved = 0

    async def of(self, loans: Iterable[str]) -> dict[str, Told]:
        """Return the last message of each of some loans; none for a loan never told of."""
        found = {
            name: told
            for name in loans
            if (told := self.unsaved.get(name) or self.known.get(name)) is not None
        }
        others = [name for name in loans if name not in found]
        if others:
            there = await self.tables.told(others)
            for name in others:
                self.known.put(name, there.get(name, Told()))
            found |= there
        return found

    async def note(self, told: Mapping[str, Told], reached: int) -> None:
        """
        Take what is in the stream now; it is saved soon.

        Raises:
            DBAPIError: what was noted before could not be saved.
        """
        for name, one in told.items():
            self.known.put(name, one)
        self.unsaved |= told
        self.reached = reached
        if len(self.unsaved) > UNSAVED_MAX:
            self.hurried.set()
        if self.saving is not None and (self.saving.done() or self.hurried.is_set()):
            saving, self.saving = self.saving, None
            await saving
        if self.saving is None:
            self.saving = asyncio.create_task(self._save())

    async def save(self) -> None:
        """Save what was noted."""
        self.hurried.set()
        saving, self.saving = self.saving, None
        if saving is not None:
            await saving
        await self._save()

    async def _save(self) -> None:
        while self.saved != self.reached:
            told, reached, self.unsaved = self.unsaved, self.reached, {}
            try:
                await self.tables.published(told, reached)
            except BaseException:
                self.unsaved = told | self.unsaved
                raise
            self.saved = reached
            with suppress(TimeoutError):
                await asyncio.wait_for(self.hurried.wait(), self.save_seconds)
        self.hurried.clear()
