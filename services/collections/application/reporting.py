"""Figures over everything that is kept: gathered here, counted in the domain."""

from __future__ import annotations

from dataclasses import dataclass

from services.collections.domain.case import Case
from services.collections.domain.debtor import Attempt, Debtor
from services.collections.domain.figures import Book
from services.collections.domain.matter import Matter
from services.collections.domain.message import Message
from services.collections.domain.task import Task
from shared.runtime.records import Records


@dataclass(frozen=True, slots=True)
class Reporting:
    """Gathers the book."""

    records: Records

    async def book(self) -> Book:
        """Return every case, attempt, message, debtor and task, as one transaction sees them."""
        async with self.records.work() as work:
            return Book(
                [case async for case in work.every(Case)],
                [attempt async for attempt in work.every(Attempt)],
                [message async for message in work.every(Message)],
                [debtor async for debtor in work.every(Debtor)],
                [task async for task in work.every(Task)],
            )

    async def matters(self) -> list[Matter]:
        """Return every legal matter."""
        async with self.records.work() as work:
            return [matter async for matter in work.every(Matter)]
