"""Figures over everything that is kept: read borrower by borrower, counted in the domain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date

from services.collections.application import trail
from services.collections.application.desk import messages_of
from services.collections.application.tasks import tasks_of
from services.collections.domain.case import Case
from services.collections.domain.debtor import Debtor
from services.collections.domain.figures import Book
from services.collections.domain.matter import Matter
from shared.runtime.records import Records, Work

PAGE = 100


@dataclass(frozen=True, slots=True)
class Reporting:
    """Reads the book in pages, each in a transaction of its own: no work waits for a figure."""

    records: Records

    async def seen_on(self, today: date) -> date:
        """Return how far the book has come: today, or what a case heard last."""
        seen, after, more = today, "", True
        while more:
            async with self.records.work() as work:
                page = await work.find(Case, after=after, limit=PAGE)
            seen = max([seen, *(case.seen_on or case.last.effective_on for case in page)])
            after, more = (page[-1].loan_id, True) if len(page) == PAGE else ("", False)
        return seen

    async def books(self) -> AsyncIterator[Book]:
        """Give what there is of each borrower; nobody is in two of them."""
        after, more = "", True
        while more:
            async with self.records.work() as work:
                page = await work.find(Debtor, after=after, limit=PAGE)
                books = [await _book(work, debtor) for debtor in page]
            for book in books:
                yield book
            after, more = (page[-1].borrower_ref, True) if len(page) == PAGE else ("", False)


async def _book(work: Work, debtor: Debtor) -> Book:
    loans = sorted(debtor.loans)
    cases = await work.get_all(Case, loans)
    attempts = await trail.attempts(work, debtor.borrower_ref)
    messages = [one for loan_id in loans for one in await messages_of(work, loan_id)]
    tasks = [one for loan_id in loans for one in await tasks_of(work, loan_id)]
    matters = list((await work.get_all(Matter, loans)).values())
    for loan_id in loans:
        found = work.every(Matter, after=f"{loan_id}/", before=f"{loan_id}0")
        matters += [matter async for matter in found]
    ours = [cases[loan_id] for loan_id in loans if loan_id in cases]
    return Book(ours, attempts, messages, [debtor], tasks, matters)
