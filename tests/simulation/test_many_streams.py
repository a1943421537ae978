"""Loans that are not in memory are read together; what follows is as if each were read alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from services.ledger.adapters.event_store import STREAM_ROWS_MAX, STREAMS_MAX, open_event_store
from services.ledger.domain.book_events import BusinessDateAdvanced
from services.ledger.domain.kept import KEEPER
from tests.services.ledger.book import Book, open_book
from tests.services.ledger.test_rebuild import as_replayed

NOW, DUE_ON = datetime(2026, 1, 5, tzinfo=UTC), date(2026, 2, 5)
LOANS = 120


@pytest.fixture(params=["sqlite", "postgresql"])
def log_url(
    request: pytest.FixtureRequest, new_database: Callable[[str], str], tmp_path: Path
) -> str:
    """Return the address of a new log on each store."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
    return new_database("streams")


def closings(count: int) -> list[BusinessDateAdvanced]:
    """Return so many events that can be told apart."""
    return [
        BusinessDateAdvanced(
            on=DUE_ON, recorded_at=NOW, request_id=f"r-{k}", loans_changed=k, loans_touched=k
        )
        for k in range(count)
    ]


def test_many_streams_are_each_whole(log_url: str) -> None:
    """More streams, and more rows, than one statement fetches; some do not exist, one is long."""
    lengths = {f"s/{k:03}": k % 40 for k in range(2 * STREAMS_MAX + 1)} | {"s/Ä": 3, "S/a": 2}
    long = {"s/050-long": STREAM_ROWS_MAX + 1}
    store = open_event_store(log_url)
    for name, length in (lengths | long).items():
        store.append([(name, 0, closings(length))])

    read = list(store.streams([*lengths, *long, "s/000"]))
    store.close()

    assert len(read) == len(lengths)
    assert dict(read) == {name: closings(length) for name, length in lengths.items()}


async def aged(folder: Path, log_url: str, *, cold: bool) -> tuple[int, bool]:
    """Age loans that are all in memory, or none; return how many changed, and if the tables fit."""
    async with open_book(folder, log_url) as book:
        await book.go_to(date(2026, 1, 5))
        names = [f"L-{k:03}" for k in range(LOANS)]
        for name in names:
            await book.lend(name)
        await book.ageing.followers.caught_up()
        if cold:
            forget(book)
        closed = await book.ageing.advance(DUE_ON, "day-2", NOW)
        await book.ageing.followers.caught_up()
        return closed.loans_changed, await as_replayed(book)


def forget(book: Book) -> None:
    """Let go of every loan in memory."""
    book.writer.accounts.clear()
    book.ageing.followers.follower.accounts.clear()
    book.models.written.clear()
    KEEPER.lines.clear()


@pytest.mark.parametrize("cold", [False, True])
async def test_a_day_of_loans_out_of_memory(log_url: str, tmp_path: Path, cold: bool) -> None:
    """Every loan changes once, and the tables hold what the log says, row by row."""
    assert await aged(tmp_path, log_url, cold=cold) == (LOANS, True)
