"""Relief and what happens beside it: nobody who becomes late in a flood is overlooked."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import msgspec
from lending.collections.v1 import contact_service_pb2 as pb

from services.collections import wire
from services.collections.application.pausing import Follow
from services.collections.compose import House
from tests.services.collections.house import LedgerByHand, a_house, event, hear
from tests.services.collections.test_agency import approve, place, ready
from tests.services.collections.test_relief import FLOOD, asked, declare

LATE = event(3, "BUCKET_CHANGED", "2026-02-10", 5)


async def lives_there(house: House) -> None:
    """A debtor of the region who was late before, and is not."""
    request = pb.RegisterDebtorRequest(borrower_ref="B-1", region="CN-51")
    await asked(house, lambda work: house.debtors.register(work, request))
    await hear(house, event(1, "GRACE_ENTERED", "2026-01-06", 1))
    await hear(house, event(2, "CURED", "2026-01-08", 0))


async def test_who_becomes_late_while_another_process_looks_is_paused_all_the_same(
    tmp_path: Path, postgres_url: str
) -> None:
    """One looks at the loan and sees nothing late; before it is done the other hears that it is."""
    ledger = LedgerByHand()
    async with (
        a_house(tmp_path, ledger, database_url=postgres_url) as one,
        a_house(tmp_path, ledger, database_url=postgres_url) as other,
    ):
        await lives_there(one)
        await declare(one)
        noted = Follow(loan_id="L-1")
        await asked(one, lambda work: work.put(noted, "L-1", "DUE"))

        async with other.desk.records.work() as work:
            await other.desk.hear(wire.heard(LATE), work)
            looking = asyncio.create_task(one.relief.pausing.follow_due(one.desk.records, "L-1"))
            await asyncio.sleep(0.5)
        await looking
        await one.relief.carry_on()
        await one.planning.orders.carry_out_due()

    assert [(type(given).__name__, given.loan_id) for given in ledger.given] == [
        ("PauseDelinquencyRequest", "L-1")
    ]


async def test_a_restated_history_that_reaches_into_a_flood_is_paused(tmp_path: Path) -> None:
    """Late since March, the flood of February meant nothing; then late since January after all."""
    ledger, past = (
        LedgerByHand(on="2026-03-05"),
        msgspec.structs.replace(FLOOD, from_on=date(2026, 2, 5), until_on=date(2026, 2, 20)),
    )
    async with a_house(tmp_path, ledger) as house:
        await lives_there(house)
        await declare(house, past)
        await hear(house, event(5, "BUCKET_CHANGED", "2026-03-01", 5))
        await house.relief.carry_on()
        await house.planning.orders.carry_out_due()
        assert ledger.given == []

        await hear(house, event(4, "BUCKET_CHANGED", "2026-01-20", 5))
        await hear(house, event(6, "TIMELINE_RESTATED", "2026-03-01", 45))
        await house.relief.carry_on()
        await house.planning.orders.carry_out_due()

    assert [(given.from_on, given.until_on) for given in ledger.given] == [
        ("2026-02-05", "2026-02-20")
    ]


async def test_a_flood_that_is_over_takes_nothing_back(tmp_path: Path) -> None:
    """Declared afterwards for the nights alone: the debtor is not shielded, the agency goes on."""
    past = msgspec.structs.replace(FLOOD, from_on=date(2026, 1, 5), until_on=date(2026, 1, 20))
    async with a_house(tmp_path) as house:
        await ready(house)
        await approve(house)
        await place(house)
        await declare(house, past)
        async with house.desk.records.work() as work:
            placement = await house.placing.placement(work, "L-1")

    assert placement.is_out
