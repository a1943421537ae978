"""
Disaster relief for a whole region at once: `python -m tests.bench.relief [loans]`.

Prints seconds of CPU of this process and of the wall for the preview, the declaration and the end,
each part by part, on SQLite; and the longest that another transaction waited meanwhile.
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
from tests.services.collections.house import a_house, event
from tests.services.collections.test_relief import FLOOD, declare, end


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


async def timed(house: House, name: str, step: Callable[[], Awaitable[Any]]) -> None:
    """Print what a step costs, and the longest that anybody else had to wait for a turn."""
    stop, waits = asyncio.Event(), [0.0]
    other = asyncio.create_task(turns(house, stop, waits))
    cpu, wall = process_time(), perf_counter()
    await step()
    cpu, wall = process_time() - cpu, perf_counter() - wall
    stop.set()
    await other
    print(f"{name:8} {cpu:6.2f} s CPU, {wall:6.2f} s wall, longest wait {max(waits):5.2f} s")


async def turns(house: House, stop: asyncio.Event, waits: list[float]) -> None:
    """Ask for a turn again and again, as who hears an event does."""
    while not stop.is_set():
        began = perf_counter()
        async with house.desk.records.work():
            waits.append(perf_counter() - began)
        await asyncio.sleep(0.05)


async def main(loans: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with a_house(Path(folder)) as house:
            await settle_in(house, loans)
            house.desk.sending.clock.see(date(2026, 2, 10))
            relief, over = house.relief, date(2026, 2, 4)
            await timed(house, "preview", lambda: relief.concerned(FLOOD))
            await timed(house, "declare", lambda: declare(house))
            seen = await relief.progress("flood-1")
            await timed(house, "undo", lambda: end(house, over))
            gone = await relief.progress("flood-1")
            print(f"{seen.done} debtors, {dict(seen.pauses)}; undone: {dict(gone.pauses)}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
