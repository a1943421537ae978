"""What waiting can help, and what it cannot, as PostgreSQL itself says it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from sqlalchemy import text

from shared.runtime.database import open_database
from shared.runtime.postgres_server import start_postgres
from shared.runtime.records import Records
from shared.subscriber.passing import is_passing
from tests.system.processes import free_port


async def test_who_was_ended_in_a_deadlock_tries_again() -> None:
    """The same event comes again, where a question that is wrong stays wrong."""
    folder = Path(tempfile.mkdtemp(prefix="duebook-pg-"))
    server = start_postgres(folder / "cluster", free_port())
    one, other = (Records(open_database(server.url())) for _ in range(2))

    async def hold(records: Records, *names: str) -> None:
        async with records.work() as work:
            for name in names:
                await work.hold(name)
                await asyncio.sleep(0.3)

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
