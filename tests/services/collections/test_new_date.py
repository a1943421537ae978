"""A new business date beside another process of the same house, on PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from shared.runtime.database import open_database
from shared.runtime.postgres_server import start_postgres
from shared.runtime.records import Records
from tests.services.collections.house import a_house, event, hear
from tests.system.processes import free_port


@pytest.fixture
def url() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="duebook-pg-"))
    server = start_postgres(folder / "cluster", free_port())
    yield server.url()
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


async def test_who_sees_the_date_holds_one_borrower_at_a_time(tmp_path: Path, url: str) -> None:
    """Another process holds the last borrower and asks for the first: neither waits for ever."""
    loans = [("L-1", "B-1"), ("L-2", "B-2")]
    other = Records(open_database(url))
    async with a_house(tmp_path, database_url=url) as house:
        for number, (loan, borrower) in enumerate(loans, 1):
            late = event(number, "GRACE_ENTERED", "2026-02-06", 1, loan=loan, borrower=borrower)
            await hear(house, late)

        async with asyncio.timeout(20), other.work() as work:
            await work.hold("B-2")
            seeing = asyncio.ensure_future(house.desk.see(date(2026, 2, 10)))
            await asyncio.sleep(0.5)
            assert not seeing.done()
            await work.hold("B-1")
        await asyncio.wait_for(seeing, 20)
    await other.engine.dispose()
