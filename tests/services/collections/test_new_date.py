"""A new business date beside another process of the same house, on PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

from shared.runtime.database import open_database
from shared.runtime.records import Records
from tests.services.collections.house import a_house, event, hear


async def test_who_sees_the_date_holds_one_borrower_at_a_time(
    tmp_path: Path, postgres_url: str
) -> None:
    """Another process holds the last borrower and asks for the first: neither waits for ever."""
    loans = [("L-1", "B-1"), ("L-2", "B-2")]
    other = Records(open_database(postgres_url))
    async with a_house(tmp_path, database_url=postgres_url) as house:
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
