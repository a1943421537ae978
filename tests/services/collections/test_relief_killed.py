"""Relief of a whole region: killed wherever it is, it goes on; nothing twice, nothing left out."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import date
from pathlib import Path

from services.collections.application.orders import Order
from services.collections.application.relief import PART
from services.collections.application.trail import Entry
from tests.bench.relief import settle_in
from tests.services.collections.house import LedgerByHand, a_house
from tests.services.collections.test_relief import FLOOD, asked

DEBTORS = 5 * PART + 7


def killed_once(folder: Path, seconds: float, *url: str) -> int:
    """Carry on in another process; kill it so long after its first part. 0: it was over before."""
    command = [sys.executable, "-m", "tests.services.collections.relieving", str(folder), *url]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        if process.stdout.readline():
            time.sleep(seconds)
            process.kill()
        return process.wait()


async def carried_out(folder: Path, dice: random.Random) -> int:
    """Carry on, killed again and again, until nothing is left to do; return how often."""
    kills = 0
    while await asyncio.to_thread(killed_once, folder, dice.uniform(0.0, 0.1)):
        kills += 1
    return kills


async def carried_out_by_two(folder: Path, dice: random.Random, url: str) -> int:
    """Let two processes carry on with the same run at once, both killed, until it is over."""
    kills, left = 0, True
    while left:
        both = [
            asyncio.to_thread(killed_once, folder, dice.uniform(0.0, 0.2), url) for _ in range(2)
        ]
        ended = await asyncio.gather(*both)
        kills, left = kills + sum(map(bool, ended)), all(ended)
    return kills


async def test_killed_again_and_again_it_is_done_once(tmp_path: Path) -> None:
    """kill -9 between and within parts: one pause and one note a debtor, then each undone once."""
    dice, ledger = random.Random(9), LedgerByHand()
    async with a_house(tmp_path) as house:
        await settle_in(house, DEBTORS)
        await asked(house, lambda work: house.relief.declare(work, FLOOD))
    kills = await carried_out(tmp_path, dice)
    async with a_house(tmp_path) as house:
        seen = await house.relief.progress("flood-1")
        assert (seen.state, seen.done, dict(seen.pauses)) == (
            "DONE",
            DEBTORS,
            {"pause due": DEBTORS},
        )
        over = date(2026, 2, 4)
        await asked(house, lambda work: house.relief.end(work, "flood-1", over, "lead-2"))
    kills += await carried_out(tmp_path, dice)

    async with a_house(tmp_path, ledger) as house:
        await house.planning.orders.carry_out_due()
        async with house.desk.records.work() as work:
            orders = [order async for order in work.every(Order)]
            notes = Counter([(one.borrower_ref, one.what) async for one in work.every(Entry)])
    assert kills > 0
    told = Counter((type(one).__name__, one.loan_id) for one in ledger.given)
    assert len(orders) == len(told) == 2 * DEBTORS and set(told.values()) == {1}
    protected = {name: count for name, count in notes.items() if name[1].startswith("PROTECT")}
    assert len(protected) == 2 * DEBTORS and set(protected.values()) == {1}


async def test_two_processes_carry_one_run_and_both_are_killed(
    tmp_path: Path, postgres_url: str
) -> None:
    """On PostgreSQL, at once: one pause and one note a debtor, then each undone once."""
    dice, ledger, debtors = random.Random(11), LedgerByHand(), 3 * PART + 7
    async with a_house(tmp_path, database_url=postgres_url) as house:
        await settle_in(house, debtors)
        await asked(house, lambda work: house.relief.declare(work, FLOOD))
    kills = await carried_out_by_two(tmp_path, dice, postgres_url)
    async with a_house(tmp_path, database_url=postgres_url) as house:
        seen = await house.relief.progress("flood-1")
        assert (seen.state, seen.done, seen.pauses["pause due"]) == ("DONE", debtors, debtors)
        over = date(2026, 2, 4)
        await asked(house, lambda work: house.relief.end(work, "flood-1", over, "lead-2"))
    kills += await carried_out_by_two(tmp_path, dice, postgres_url)

    async with a_house(tmp_path, ledger, database_url=postgres_url) as house:
        await house.planning.orders.carry_out_due()
        async with house.desk.records.work() as work:
            notes = Counter([(one.borrower_ref, one.what) async for one in work.every(Entry)])
    assert kills > 0
    told = Counter((type(one).__name__, one.loan_id) for one in ledger.given)
    assert len(told) == 2 * debtors and set(told.values()) == {1}
    protected = {name: count for name, count in notes.items() if name[1].startswith("PROTECT")}
    assert len(protected) == 2 * debtors and set(protected.values()) == {1}
