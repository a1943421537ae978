"""The ladder in one house: by episode, by what was sent, taken back; orders carried out once."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb

from services.collections.compose import House
from services.collections.domain.case import Case
from services.collections.domain.contact_rules import Channel, Outcome, Purpose
from services.collections.domain.debtor import Attempt
from services.collections.domain.hardship import PlanNotFound
from services.collections.domain.legal import LegalStepNotFound, LegalStepOutOfOrder
from services.collections.domain.matter import Matter, Step, Taken
from tests.services.collections.house import LedgerByHand, a_house, event, hear
from tests.services.collections.people import proposed


def step(kind: str, on: str) -> Taken:
    return Taken(step=Step(kind), on=date.fromisoformat(on), proposed_by="o-1")


async def write(house: House, number: int, at: datetime) -> None:
    """Record a letter of demand that was sent."""
    async with house.desk.records.work() as work:
        letter = Attempt(
            attempt_id=f"letter-{number}",
            borrower_ref="B-1",
            loan_id="L-1",
            at=at,
            channel=Channel.LETTER,
            outcome=Outcome.SENT,
            purpose=Purpose.LEGAL_NOTICE,
            by="o-1",
        )
        await house.desk.contacting.permit(work, letter)


async def checked(house: House, on: str) -> None:
    async with house.desk.records.work() as work:
        day = date.fromisoformat(on)
        await house.escalating.check(work, "L-1", day, "carer", "able", may_go_on=True)


async def test_each_time_of_being_late_has_a_ladder_of_its_own(tmp_path: Path) -> None:
    """A demand of 2025 is no notice for 2026: late again, the ladder begins at its foot."""
    async with a_house(tmp_path) as house:
        await hear(house, event(1, "BUCKET_CHANGED", "2025-02-06", 75))
        for day in range(3):
            await write(house, day, datetime(2025, 2, 10 + day, 3, tzinfo=UTC))
        await checked(house, "2025-02-06")
        async with house.desk.records.work() as work:
            await house.escalating.propose(work, "L-1", step("DEMAND", "2025-02-06"))
            matter = await house.escalating.approve(work, "L-1", "o-2")
        assert matter.limitation_on(house.desk.contacting.policies.legal[0]) == date(2028, 2, 6)

        await hear(house, event(2, "CURED", "2025-03-06", 0))
        await hear(house, event(3, "BUCKET_CHANGED", "2026-02-06", 75))
        for day in range(3):
            await write(house, 10 + day, datetime(2026, 2, 10 + day, 3, tzinfo=UTC))
        await checked(house, "2026-02-06")

        async with house.desk.records.work() as work:
            case = await work.get(Case, "L-1")
            assert case is not None
            again = await house.escalating.matter(work, case)
            assert (again.steps, again.due_on) == ((), date(2026, 2, 5))
            with pytest.raises(LegalStepOutOfOrder):
                await house.escalating.propose(work, "L-1", step("CREDIT_REPORT", "2026-02-06"))


async def test_what_waits_can_be_taken_back(tmp_path: Path) -> None:
    """A step or plan that nobody approves does not stand in the way of another for ever."""
    plan = proposed()
    async with a_house(tmp_path) as house:
        await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 75))
        async with house.desk.records.work() as work:
            waits = Matter(
                loan_id="L-1", due_on=date(2026, 2, 5), steps=(step("DEMAND", "2026-02-06"),)
            )
            await work.put(waits, "L-1/1")
            assert (await house.escalating.withdraw(work, "L-1", "o-1")).steps == ()
            with pytest.raises(LegalStepNotFound):
                await house.escalating.withdraw(work, "L-1", "o-1")

            await house.planning.propose(work, "L-1", plan)
            case = await house.planning.withdraw(work, "L-1", "o-1")
            assert case.plan is not None and case.plan.status == "WITHDRAWN"
            with pytest.raises(PlanNotFound):
                await house.planning.withdraw(work, "L-1", "o-1")
            second = await house.planning.propose(work, "L-1", plan)
            assert second.plan is not None and second.plan.number == 2


async def test_an_order_is_settled_once(tmp_path: Path) -> None:
    """Rpc and watcher carry the same order out at once: one of them writes down the end."""
    settled: list[str] = []
    async with a_house(tmp_path, LedgerByHand()) as house:
        orders = house.planning.orders

        async def settle(work: object, subject_id: str, refusal: str) -> None:
            settled.append(subject_id)

        orders.settle["test"] = settle
        async with house.desk.records.work() as work:
            request = ledger_pb.RestructureLoanRequest(request_id="order-1", loan_id="L-1")
            await orders.place(work, "test", "L-1/1", request)
        await asyncio.gather(*(orders.carry_out("order-1") for _ in range(5)))

    assert settled == ["L-1/1"]
