"""The places of many loans move by one statement, or none of them does; on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from shared.runtime.database import open_database
from shared.runtime.postgres_server import start_postgres
from shared.runtime.records import Records
from shared.subscriber.chain import Place
from shared.subscriber.inbox import Inbox, PlaceMoved, Read, create_inbox
from tests.system.processes import free_port

LOANS = [f"L-{k}" for k in range(1_203)]
DESK = Inbox("desk")


@pytest.fixture(params=["sqlite", "postgresql"])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Records]:
    if request.param == "sqlite":
        url, server = f"sqlite+aiosqlite:///{tmp_path}/desk.db", None
    else:
        server = await asyncio.to_thread(start_postgres, tmp_path / "cluster", free_port())
        connection = await asyncpg.connect(server.url().replace("+asyncpg", ""))
        await connection.execute("CREATE DATABASE desk")
        await connection.close()
        url = server.url("desk")
    found = Records(open_database(url))
    await create_inbox(found.engine)
    yield found
    await found.engine.dispose()
    if server is not None:
        server.stop()


async def test_all_places_move(records: Records) -> None:
    """New loans, known ones and those that stay, and how far the stream was read."""
    first = {name: Place(1, "a" * 64) for name in LOANS[:-3]}
    then = first | {name: Place(7, "b" * 64) for name in LOANS[5:]}
    async with records.work() as unit:
        await DESK.set_places(unit.connection, {}, first)
        await DESK.set_read(unit.connection, Read(1, "one", 0))

    async with records.work() as unit:
        before = await DESK.places(unit.connection, LOANS)
        await DESK.set_places(unit.connection, before, then)
        await DESK.set_read(unit.connection, Read(2, "two", 0))

    async with records.work() as unit:
        assert (before, await DESK.all_places(unit.connection)) == (first, then)
        assert await DESK.read(unit.connection) == Read(2, "two", 0)
        assert await Inbox("other").all_places(unit.connection) == {}


async def test_one_that_moved_meanwhile_keeps_all_where_they_are(records: Records) -> None:
    """Another process of the same subscriber was faster with one loan: the batch is rolled back."""
    first = {name: Place(1, "a" * 64) for name in LOANS[:9]}
    faster = first | {"L-4": Place(2, "c" * 64)}
    async with records.work() as unit:
        await DESK.set_places(unit.connection, {}, faster)

    with pytest.raises(PlaceMoved):
        async with records.work() as unit:
            after = {name: Place(2, "b" * 64) for name in first}
            await DESK.set_places(unit.connection, first, after)

    async with records.work() as unit:
        assert await DESK.all_places(unit.connection) == faster
