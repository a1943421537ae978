"""
Disaster relief for a whole region at once: `python -m tests.bench.relief [loans]`.

Prints seconds of CPU of this process and of the wall for the preview, the declaration (one
transaction: killed in it, nothing has happened) and the end, on SQLite.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from services.collections import wire
from services.collections.compose import House
from services.collections.domain.case import follow
from services.collections.domain.debtor import Debtor
from services.collections.domain.disaster import Disaster
from shared.runtime.records import Work
from tests.services.collections.house import a_house, event

FLOOD = Disaster(
    disaster_id="flood-1",
    region="CN-51",
    from_on=date(2026, 2, 5),
    until_on=date(2026, 3, 5),
    note="flood",
    declared_by="lead-1",
    pauses=True,
)


async def settle_in(house: House, loans: int) -> None:
    """Write down one late loan for each of so many debtors who live in the region."""
    async with house.desk.records.work() as work:
        for number in range(loans):
            loan, borrower = f"L-{number:06}", f"B-{number:06}"
            late = event(1, "GRACE_ENTERED", "2026-02-06", 1, loan=loan, borrower=borrower)
            case, _ = follow(None, wire.heard(late))
            assert case is not None
            await work.put(case, loan, "OPEN")
            debtor = Debtor(borrower_ref=borrower, jurisdiction="CN", region="CN-51", loans=(loan,))
            await work.put(debtor, borrower)


async def timed(house: House, name: str, step: Callable[[Work], Awaitable[Any]]) -> None:
    cpu, wall = process_time(), perf_counter()
    async with house.desk.records.work() as work:
        found = await step(work)
    cpu, wall = process_time() - cpu, perf_counter() - wall
    cases, pauses = len(found.cases), dict(found.pauses)
    print(f"{name:8} {cases} loans: {cpu:6.2f} s CPU, {wall:6.2f} s wall, {pauses}")


async def main(loans: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with a_house(Path(folder)) as house:
            await settle_in(house, loans)
            house.desk.sending.clock.see(date(2026, 2, 10))
            relief, over = house.relief, date(2026, 2, 4)
            await timed(house, "preview", lambda work: relief.concerned(work, FLOOD))
            await timed(house, "declare", lambda work: relief.declare(work, FLOOD))
            await timed(house, "undo", lambda work: relief.end(work, "flood-1", over, "lead-2"))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
