"""What waiting can help, and what it cannot, as PostgreSQL itself says it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.runtime.database import open_database
from shared.runtime.postgres_server import start_postgres
from shared.runtime.records import Records
from shared.subscriber.passing import begins_again, is_passing
from shared.subscriber.subscriber import Subscriber
from tests.system.processes import free_port


async def test_who_was_ended_in_a_deadlock_tries_again() -> None:
    """The same event comes again, where a question that is wrong stays wrong."""
    folder = Path(tempfile.mkdtemp(prefix="duebook-pg-"))
    server = start_postgres(folder / "cluster", free_port())
    one, other = (Records(open_database(server.url())) for _ in range(2))

    both = asyncio.Barrier(2)

    async def hold(records: Records, first: str, second: str) -> None:
        async with records.work() as work:
            await work.hold(first)
            await both.wait()
            await work.hold(second)

    async def ask(records: Records) -> None:
        async with records.work() as work:
            await work.connection.execute(text("SELECT nothing"))

    crossed = [hold(one, "a", "b"), hold(other, "b", "a")]
    ended = await asyncio.gather(*crossed, return_exceptions=True)
    wrong = await asyncio.gather(ask(one), return_exceptions=True)
    await asyncio.gather(one.engine.dispose(), other.engine.dispose())
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)

    found = [is_passing(failure) for failure in (*ended, *wrong) if isinstance(failure, Exception)]
    assert found == [True, False]


class Streams:
    """A bus whose streams are there."""

    async def ensure_streams(self) -> None:
        """They are there."""


@pytest.mark.parametrize("state", ["40P01", "40001", "53100", "57P01", "08006", "58030"])
async def test_own_statements_that_gave_way_do_not_end_it(state: str) -> None:
    """A deadlock, a full disk, a shutdown under the subscriber's own statements: it goes on."""
    stop, tried = asyncio.Event(), []

    @asynccontextmanager
    async def work() -> AsyncIterator[Any]:
        tried.append(1)
        if len(tried) == 2:
            stop.set()
        raise DBAPIError("SELECT 1", {}, SimpleNamespace(sqlstate=state))  # type: ignore[arg-type]
        yield

    desk: Subscriber[Any] = Subscriber(Streams(), "desk", work, _hear)  # type: ignore[arg-type]
    await asyncio.wait_for(desk.run(stop), 10)

    assert len(tried) == 2


def test_what_is_wrong_does_not_begin_again() -> None:
    """A statement that nobody understands is a bug, and ends the subscriber."""
    wrong = DBAPIError("SELEC", {}, SimpleNamespace(sqlstate="42601"))  # type: ignore[arg-type]

    assert not begins_again(wrong) and not begins_again(ValueError("a bug"))


async def _hear(*_: Any) -> None:
    """Hear nothing."""
