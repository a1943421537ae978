"""A day in loans that are not in memory, against the same day in loans that are: CPU alone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from time import process_time

from services.ledger.domain import frames, schedule
from services.ledger.domain.kept import KEEPER
from tests.bench.books import DUE_ON, STARTS_ON, load
from tests.bench.measures import Measure
from tests.services.ledger.book import Book, open_book


def _let_go(book: Book) -> None:
    """Let everything go that a process remembers of its loans."""
    book.writer.accounts.clear()
    book.models.written.clear()
    book.ageing.followers.follower.accounts.clear()
    KEEPER.lines.clear()
    schedule.schedule_of.cache_clear()
    frames.forget()


async def _day(folder: Path, loans: int, *, cold: bool) -> float:
    """Return the seconds of CPU per change of a day in which every loan changes."""
    folder.mkdir(parents=True)
    async with open_book(folder) as book:
        await book.go_to(STARTS_ON)
        await load(book, loans, loans)
        await book.ageing.followers.caught_up()
        if cold:
            _let_go(book)
        started = process_time()
        closed = await book.ageing.advance(DUE_ON, "day-2", datetime.now(UTC))
        await book.ageing.followers.caught_up()
        seconds = process_time() - started
    assert closed.loans_changed == loans
    return seconds / loans


def ageing_cold(folder: Path, runs: int, loans: int) -> Measure:
    """Measure what it costs that a loan is not in memory; no two loans are alike."""
    measure = Measure("ageing_cold.sqlite", "s of CPU per change", "the same loans in memory")
    for run in range(runs):
        cold, warm = (
            asyncio.run(_day(folder / f"{run}-{word}", loans, cold=word == "cold"))
            for word in ("cold", "warm")
        )
        measure.add(cold, warm)
    return measure
