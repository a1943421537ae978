"""Read models are built again beside the live ones, compared, and switched, while posts go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

from sqlalchemy import inspect, text

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.read_models import ReadModels
from services.ledger.adapters.rebuild import BesideModels
from services.ledger.adapters.tables import LIVE
from services.ledger.application.following import Follower
from services.ledger.application.rebuilding import Rebuilding, Rebuilt
from services.ledger.application.verifying import digest_of, expected_rows, replay_log
from shared.runtime.database import open_database
from tests.services.ledger.book import Book, open_book

LOANS = 8
Urls = tuple[str, str]


@asynccontextmanager
async def rebuilding(book: Book) -> AsyncIterator[Rebuilding]:
    """Open a rebuild on connections of its own, as another process would."""
    models = ReadModels(open_database(book.models.engine.url.render_as_string(hide_password=False)))
    log = book.writer.log
    try:
        yield Rebuilding(log, Follower(log, decode), BesideModels(models))
    finally:
        await models.engine.dispose()


async def lend(book: Book) -> None:
    await book.go_to(date(2026, 1, 5))
    for k in range(LOANS):
        await book.lend(f"L-{k}")
    await book.go_to(date(2026, 2, 9))


async def post_until(book: Book, stop: asyncio.Event) -> int:
    """Post until told to stop; return how many."""
    count = 0
    while not stop.is_set():
        await book.repay(f"L-{count % LOANS}", 100)
        count += 1
    return count


async def as_replayed(book: Book) -> bool:
    """Say whether the tables hold what the log says, row by row."""
    await book.ageing.followers.caught_up()
    expected = expected_rows(replay_log(Follower(book.writer.log, decode)))
    shown = {table.name: await book.models.all_rows(table) for table in LIVE}
    return digest_of(expected) == digest_of(shown)


async def tables_of(book: Book) -> set[str]:
    async with book.models.engine.connect() as connection:
        return set(await connection.run_sync(lambda c: inspect(c).get_table_names()))


async def switched_while_posting(folder: Path, urls: Urls) -> tuple[Rebuilt, Rebuilt, int, bool]:
    """Rebuild twice while somebody posts all the time; then hold the tables against the log."""
    async with open_book(folder, *urls) as book:
        await lend(book)
        before = await tables_of(book)
        stop = asyncio.Event()
        posting = asyncio.ensure_future(post_until(book, stop))
        found = []
        for _ in range(2):
            async with rebuilding(book) as work:
                found.append(await work.run())
            await asyncio.sleep(0.1)
        stop.set()
        posted = await posting
        return (
            found[0],
            found[1],
            posted,
            await as_replayed(book) and before == await tables_of(book),
        )


def test_switched_while_posts_go_on(tmp_path: Path) -> None:
    """No row differs, both times; what was posted before, during and after is in the tables."""
    first, second, posted, same = asyncio.run(switched_while_posting(tmp_path, ("", "")))

    assert first.switched and second.switched
    assert [v.different for v in (*first.verdicts, *second.verdicts)] == [[]] * 6
    assert second.verdicts[-1].rows > first.verdicts[-1].rows > 0
    assert posted > 10
    assert same


def test_a_wrong_row_is_named_and_replaced_only_when_asked(tmp_path: Path) -> None:
    """The old tables stay where rows differ, unless they are taken to be wrong."""

    async def run() -> tuple[Rebuilt, bool, Rebuilt, bool]:
        async with open_book(tmp_path) as book:
            await lend(book)
            await book.ageing.followers.caught_up()
            async with book.models.engine.begin() as connection:
                wrong = "UPDATE loan_summary SET arrears_minor = 7 WHERE loan_id = 'L-3'"
                await connection.execute(text(wrong))
                await connection.execute(text("DELETE FROM instalments WHERE loan_id = 'L-5'"))
            async with rebuilding(book) as work:
                kept = await work.run()
            still = await as_replayed(book)
            async with rebuilding(book) as work:
                replaced = await work.run(replace=True)
            return kept, still, replaced, await as_replayed(book)

    kept, still, replaced, same = asyncio.run(run())

    assert not kept.switched and not still
    summary, instalments, journal = (verdict.different for verdict in kept.verdicts)
    assert len(summary) == 1 and "'L-3'" in summary[0]
    assert len(instalments) == 12 and all("live None" in one for one in instalments)
    assert journal == []
    assert replaced.switched and same


def test_a_rebuild_that_was_cut_short_goes_on(tmp_path: Path) -> None:
    """The second run begins at the position that the first had reached."""

    async def run() -> tuple[int, int, Rebuilt, bool]:
        async with open_book(tmp_path) as book:
            await lend(book)
            async with rebuilding(book) as work:
                work.position = await work.beside.begin()
                reached = await work.reach(20)
            await book.repay("L-1", 5_000)
            async with rebuilding(book) as work:
                started: list[int] = []
                work.say = lambda done, of: started.append(done)
                found = await work.run()
            return reached, started[0], found, await as_replayed(book)

    reached, next_reached, found, same = asyncio.run(run())

    assert reached == 20 < next_reached
    assert found.switched and same
