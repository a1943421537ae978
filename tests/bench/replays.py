"""Replay a book by two processes against one: the same digest, in how much less time."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from time import perf_counter

from services.ledger.adapters.replay_processes import replay
from services.ledger.application.verifying import Replayed, digest_of, expected_rows
from tests.bench.books import load
from tests.bench.measures import Measure
from tests.services.ledger.book import open_book

TOGETHER = 1_000
MONTHS = (date(2026, 2, 6), date(2026, 3, 6), date(2026, 4, 6))


async def lived_book(folder: Path, loans: int) -> str:
    """Make a book of some months with a repayment per loan and month; return its log's address."""
    folder.mkdir(parents=True)
    async with open_book(folder) as book:
        await book.go_to(date(2026, 1, 5))
        await load(book, loans, loans)
        for month in MONTHS:
            await book.go_to(month)
            names = [f"L-{k:07}" for k in range(loans)]
            for first in range(0, loans, TOGETHER):
                part = names[first : first + TOGETHER]
                await asyncio.gather(*[book.repay(name, 50_000) for name in part])
    return f"sqlite+aiosqlite:///{folder}/ledger.db"


def seconds_of(url: str, processes: int = 1) -> tuple[float, Replayed]:
    """Replay a log as an audit does; return the seconds, and what it came to."""
    started = perf_counter()
    replayed = replay(url, processes)
    return perf_counter() - started, replayed


async def two_processes(folder: Path, loans: int, runs: int) -> Measure:
    """Measure the audit's replay of a book: every fact, posting, standing and row derived again."""
    url = await lived_book(folder, loans)
    measure = Measure("replay_two_processes.sqlite", "s", "one process, the same digest")
    for _ in range(runs):
        seconds, digests = [], []
        for processes in (2, 1):
            spent, replayed = seconds_of(url, processes)
            seconds.append(spent)
            digests.append(digest_of(expected_rows(replayed)))
        assert digests[0] == digests[1]
        measure.add(*seconds)
    return measure
