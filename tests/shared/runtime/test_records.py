"""Records by time and by state, on both stores, also in tables that older versions made."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lending.ledger.v1 import ledger_service_pb2 as pb
from sqlalchemy import text

from shared.runtime import locks
from shared.runtime.database import open_database
from shared.runtime.postgres_server import start_postgres
from shared.runtime.records import Records, Work
from tests.system.processes import free_port

OLD = (
    "CREATE TABLE records (kind VARCHAR(40) NOT NULL, id VARCHAR(80) NOT NULL,"
    " state VARCHAR(40) NOT NULL, body {blob} NOT NULL, PRIMARY KEY (kind, id))"
)


class Thing(msgspec.Struct, frozen=True):
    """Something to keep."""

    name: str


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/records.db"
        return
    folder = Path(tempfile.mkdtemp(prefix="duebook-pg-"))
    server = start_postgres(folder / "cluster", free_port())
    yield server.url()
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


async def opened(address: str) -> Records:
    """Open records in a database in which an older version left a table and a row."""
    records = Records(open_database(address))
    if records.engine.dialect.name == "sqlite":
        await records.create(1)
        async with records.engine.begin() as connection:
            await connection.execute(text("DROP TABLE records"))
    blob = "BYTEA" if records.engine.dialect.name == "postgresql" else "BLOB"
    async with records.engine.begin() as connection:
        await connection.execute(text(OLD.format(blob=blob)))
        row = {"body": b'{"name": "old"}'}
        old = "INSERT INTO records VALUES ('Thing', 'old', 'WAITS', :body)"
        await connection.execute(text(old), row)
    await records.create(1)
    await records.create(1)
    return records


async def test_what_waits_is_found_by_time_and_moved_once(address: str) -> None:
    """The longest due first, page by page; a record moves only from the state it was seen in."""
    records = await opened(address)
    days = ("2026-03-01", "2026-01-01", "2026-02-01")
    async with records.work() as work:
        for day in days:
            await work.put(Thing(day), f"{'x' * 120}.{day}", "WAITS", day)
        place, found = ("", ""), []
        while page := await work.due(Thing, "WAITS", "2026-02-15", place, 2):
            place = page[-1][0]
            found += [thing.name for _, thing in page]
        assert found == ["old", "2026-01-01", "2026-02-01"]
        assert [one.name async for one in work.every(Thing, state="WAITS")] == [
            "old",
            *sorted(days),
        ]

        assert await work.move(Thing("new"), "old", ("WAITS", "DONE"))
        assert not await work.move(Thing("newer"), "old", ("WAITS", "DONE"))
        assert await work.get(Thing, "old") == Thing("new")
    await records.engine.dispose()


async def test_pages_end_and_miss_nothing(address: str) -> None:
    """More records than three pages are read whole and in order."""
    records = await opened(address)
    async with records.work() as work:
        names = [f"t.{number:04}" for number in range(601)]
        await work.put_all(Thing, {name: (Thing(name), "MANY") for name in names})
        assert [one.name async for one in work.every(Thing, state="MANY")] == names
        few = work.every(Thing, after="t.0100", before="t.0103")
        assert [one.name async for one in few] == ["t.0101", "t.0102"]
    await records.engine.dispose()


async def test_a_role_has_one_holder(address: str) -> None:
    """Across processes a role is one's; SQLite has one process, which has every role."""
    records = await opened(address)
    shared = records.engine.dialect.name == "postgresql"
    async with locks.sole(records.engine, "role") as ours:
        assert ours
        async with locks.sole(records.engine, "role") as theirs:
            assert theirs is not shared
        async with locks.sole(records.engine, "another") as other:
            assert other
    async with locks.sole(records.engine, "role") as again:
        assert again
    await records.engine.dispose()


async def test_who_holds_a_name_lets_others_wait(address: str) -> None:
    """Two transactions of two processes hold a name one after the other."""
    first, second = await opened(address), Records(open_database(address))
    order: list[str] = []

    async def hold(records: Records, name: str) -> None:
        async with records.work() as work:
            await work.hold("B-1")
            order.append(f"{name} in")
            await asyncio.sleep(0.05)
            order.append(f"{name} out")

    if first.engine.dialect.name == "postgresql":
        await asyncio.gather(hold(first, "a"), hold(second, "b"))
        assert [word.partition(" ")[2] for word in order] == ["in", "out", "in", "out"]
    else:
        await hold(first, "a")
    await first.engine.dispose()
    await second.engine.dispose()


async def test_two_processes_are_asked_the_same(address: str) -> None:
    """The second one waits, then gives the first one's answer: no other effect, no failure."""
    one = await opened(address)
    other = Records(open_database(address)) if "postgresql" in address else one
    request, acted = pb.AdvanceBusinessDateRequest(request_id="day-1", to="2026-01-05"), []

    async def act(work: Work) -> pb.BusinessDate:
        acted.append("once")
        await asyncio.sleep(0.3)
        return pb.BusinessDate(on=f"2026-01-0{len(acted)}")

    asked = [records.answer_once(request, pb.BusinessDate, act) for records in (one, other)]
    answers = await asyncio.gather(*asked)
    await asyncio.gather(one.engine.dispose(), other.engine.dispose())

    assert [answer.on for answer in answers] == ["2026-01-01", "2026-01-01"]
    assert acted == ["once"]


async def test_who_hangs_up_is_answered_all_the_same(address: str) -> None:
    """What a caller has asked for happens once, wherever they hang up; nobody waits behind it."""
    records, chance, acted = await opened(address), random.Random(1), []

    def ask(number: int) -> Coroutine[Any, Any, pb.BusinessDate]:
        async def act(work: Work) -> pb.BusinessDate:
            acted.append(number)
            await work.put(Thing(f"{number}"), f"{number}")
            return pb.BusinessDate(on="2026-01-05")

        request = pb.AdvanceBusinessDateRequest(request_id=f"day-{number}", to="2026-01-05")
        return records.answer_once(request, pb.BusinessDate, act)

    async def hang_up(number: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(chance.random() * 0.02):
                await ask(number)

    await asyncio.gather(*[hang_up(number) for number in range(60)])
    answers = await asyncio.gather(*[ask(number) for number in range(60)])
    async with records.work() as work:
        things = await work.find(Thing)
    await records.engine.dispose()

    assert {answer.on for answer in answers} == {"2026-01-05"}
    assert sorted(acted) == list(range(60))
    assert len(things) == 61


async def test_nothing_is_a_number_of_things_too(address: str) -> None:
    """To store, to owe and to remember nothing is no failure, and changes nothing."""
    records = await opened(address)
    async with records.work() as work:
        await work.put_all(Thing, {})
        await work.owe_all([])
        await work.remember_all([])
        found = await work.find(Thing)
    await records.engine.dispose()

    assert found == [Thing("old")]
