"""Disaster relief in bulk: previewed, declared in one stroke, ended early, undone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from lending.collections.v1 import contact_service_pb2 as pb

from services.collections.application.desk import messages_of
from services.collections.compose import House
from services.collections.domain.contact_gate import ContactInDisaster
from services.collections.domain.contact_rules import Channel
from services.collections.domain.debtor import Attempt
from services.collections.domain.disaster import Disaster, DisasterHasEnded, ended
from tests.services.collections.house import LedgerByHand, a_house, event, hear

FLOOD = Disaster(
    disaster_id="flood-1",
    region="CN-51",
    from_on=date(2026, 2, 5),
    until_on=date(2026, 3, 5),
    note="flood",
    declared_by="lead-1",
    pauses=True,
)
HOMES = {"B-1": "CN-51", "B-2": "CN-51-01", "B-3": "CN-510", "B-4": ""}


async def settle_in(house: House) -> None:
    """Four debtors with a late loan each; two live in the region."""
    for number, (name, region) in enumerate(HOMES.items(), start=1):
        async with house.desk.records.work() as work:
            request = pb.RegisterDebtorRequest(borrower_ref=name, region=region)
            await house.debtors.register(work, request)
        loan = f"L-{number}"
        await hear(house, event(1, "GRACE_ENTERED", "2026-02-06", 1, loan=loan, borrower=name))


def call(name: str) -> Attempt:
    at = datetime(2026, 2, 10, 3, tzinfo=UTC)
    return Attempt(
        attempt_id=f"c-{name}",
        borrower_ref=name,
        loan_id=f"L-{name[2:]}",
        at=at,
        channel=Channel.CALL,
        by="agent",
    )


async def reached(house: House) -> list[str]:
    """Return who may be called."""
    found = []
    for name in HOMES:
        try:
            async with house.desk.records.work() as work:
                await house.desk.contacting.ask(work, call(name))
            found.append(name)
        except ContactInDisaster as refusal:
            assert refusal.rule == "house-disaster"
    return found


async def asked(house: House, what: Any) -> Any:
    async with house.desk.records.work() as work:
        return await what(work)


async def declare(house: House, disaster: Disaster = FLOOD) -> None:
    """Declare a disaster, and carry it out."""
    await asked(house, lambda work: house.relief.declare(work, disaster))
    await house.relief.carry_on()


async def end(house: House, last_on: date, name: str = "flood-1") -> None:
    """End a disaster, and carry that out."""
    await asked(house, lambda work: house.relief.end(work, name, last_on, "lead-2"))
    await house.relief.carry_on()


async def test_previewed_declared_and_undone(tmp_path: Path) -> None:
    """Two of four live there: shielded in one stroke, with pauses; undone, all of it ends."""
    ledger = LedgerByHand()
    async with a_house(tmp_path, ledger) as house:
        await settle_in(house)
        relief = house.relief

        plan = await relief.concerned(FLOOD)
        assert (plan.debtors, plan.shown, plan.state) == (2, ["B-1", "B-2"], "")
        assert (plan.cases, plan.arrears["CNY"], dict(plan.pauses)) == (2, 213_238, {"pause": 2})
        assert await reached(house) == list(HOMES)

        await declare(house)
        done = await relief.progress("flood-1")
        assert (dict(done.pauses), done.state, done.done) == ({"pause due": 2}, "DONE", 2)
        assert await reached(house) == ["B-3", "B-4"]
        await house.watching.look()
        assert [type(one).__name__ for one in ledger.given] == ["PauseDelinquencyRequest"] * 2

        await end(house, date(2026, 2, 4))
        await house.watching.look()
        now = await relief.progress("flood-1")
        assert await reached(house) == list(HOMES)
        assert dict(now.pauses) == {"pause done": 2, "resume done": 2}
        assert {one.on for one in ledger.given[2:]} == {"2026-02-05"}
        with pytest.raises(DisasterHasEnded):
            await end(house, date(2026, 2, 4))


async def test_a_wrong_end_is_mended_by_an_earlier_one(tmp_path: Path) -> None:
    """Ended on the 20th, it was over on the 12th: the pauses are shortened again, never longer."""
    ledger = LedgerByHand()
    async with a_house(tmp_path, ledger) as house:
        await settle_in(house)
        await declare(house)
        await house.watching.look()
        for day in (date(2026, 2, 20), date(2026, 2, 12)):
            plan = await house.relief.concerned(ended(await known(house), day, "lead-2"))
            assert dict(plan.pauses) == {"resume": 2}
            await end(house, day)
            await house.watching.look()
        with pytest.raises(DisasterHasEnded):
            await end(house, date(2026, 2, 14))

        assert [one.on for one in ledger.given[2:]] == ["2026-02-20"] * 2 + ["2026-02-12"] * 2


async def known(house: House) -> Disaster:
    found = await asked(house, lambda work: house.relief.disaster(work, "flood-1"))
    assert isinstance(found, Disaster)
    return found


async def test_who_moves_there_is_shielded_and_waiting_letters_leave_after_it(
    tmp_path: Path,
) -> None:
    """A reminder of the flood's days waits for its end; ended early, it is asked about earlier."""
    async with a_house(tmp_path) as house:
        await settle_in(house)
        await declare(house)
        moved = pb.RegisterDebtorRequest(borrower_ref="B-4", region="CN-51-20")
        await asked(house, lambda work: house.debtors.register(work, moved))
        late = event(2, "GRACE_EXPIRED", "2026-02-09", 4, loan="L-4", borrower="B-4")
        await hear(house, late)

        async def waiting() -> Any:
            found = await asked(house, lambda work: messages_of(work, "L-4"))
            return found[-1]

        first = await waiting()
        assert (first.state, first.why) == ("PLANNED", "house-disaster")
        assert first.planned_at.date() == date(2026, 3, 6)

        await end(house, date(2026, 2, 11))
        await house.desk.see(date(2026, 2, 13))
        await house.desk.sending.send_due()
        second = await waiting()
        assert (second.state, second.sent_at.date()) == ("SENT", date(2026, 2, 12))
