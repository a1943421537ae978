"""Figures over everything that is kept: read in parts of so many cases, counted in the domain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, TypeVar

import msgspec

from services.collections.application import trail
from services.collections.domain.case import Case
from services.collections.domain.debtor import Attempt, Debtor
from services.collections.domain.figures import Book
from services.collections.domain.matter import Matter
from services.collections.domain.message import Message
from services.collections.domain.task import Task
from shared.runtime.records import PAGE, Records

CASES_MOST = 20_000
Record = TypeVar("Record", bound=msgspec.Struct)


class Extent(NamedTuple):
    """How far a book has come, and how many cases it has."""

    seen_on: date
    cases: int


@dataclass(frozen=True, slots=True)
class Reporting:
    """Reads the book in pages, each in a transaction of its own: no work waits for a figure."""

    records: Records
    cases_most: int = CASES_MOST

    async def extent(self, today: date) -> Extent:
        """Return how far the book has come: today, or what a case heard last."""
        seen, count = today, 0
        async for case in self._every(Case):
            seen, count = max(seen, case.seen_on or case.last.effective_on), count + 1
        return Extent(seen, count)

    async def books(self, extent: Extent) -> AsyncIterator[Book]:
        """Give the book in parts of about `cases_most` cases; nobody is in two of them."""
        parts = -(-extent.cases // self.cases_most)
        for part in range(parts):

            def ours(one: Case | Attempt | Message | Debtor | Task, part: int = part) -> bool:
                return parts == 1 or int(trail.key_of(one.borrower_ref), 16) % parts == part

            cases = [one async for one in self._every(Case) if ours(one)]
            loans = {case.loan_id for case in cases}
            yield Book(
                cases,
                [one async for one in self._every(Attempt) if ours(one)],
                [one async for one in self._every(Message) if ours(one)],
                [one async for one in self._every(Debtor) if ours(one)],
                [one async for one in self._every(Task) if ours(one)],
                [one async for one in self._every(Matter) if one.loan_id in loans],
            )

    async def _every(self, kind: type[Record]) -> AsyncIterator[Record]:
        after, more = "", True
        while more:
            async with self.records.work() as work:
                page = await work.page(kind, "", (after, ""), PAGE)
            for _, record in page:
                yield record
            after, more = (page[-1][0], True) if len(page) == PAGE else (after, False)
