"""Two processes of one house on PostgreSQL: what one heard or did, the other does not lose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from lending.common.v1 import money_pb2
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb

from services.collections.application.desk import messages_of
from services.collections.application.orders import Order
from services.collections.application.ports import ChannelAway
from services.collections.compose import House
from services.collections.domain.case import Case
from services.collections.domain.claims import (
    Claim,
    ClaimAlreadyOpen,
    ClaimNotFiled,
    Standin,
)
from services.collections.domain.debtor import Attempt
from tests.services.collections.house import a_house, event, hear
from tests.services.collections.test_sending import Way, by

LATE = event(1, "BUCKET_CHANGED", "2026-02-06", 35)
Houses = tuple[House, House]


@pytest.fixture
async def houses(tmp_path: Path, postgres_url: str) -> AsyncIterator[Houses]:
    async with (
        a_house(tmp_path, database_url=postgres_url) as one,
        a_house(tmp_path, database_url=postgres_url) as other,
    ):
        yield one, other


async def case_of(house: House) -> Case:
    async with house.desk.records.work() as work:
        found = await work.get(Case, "L-1")
    assert found is not None
    return found


def claim(name: str = "C-1") -> Claim:
    return Claim(
        claim_id=name,
        loan_id="L-1",
        standin=Standin.INSURER,
        standin_ref="I-1",
        currency="CNY",
        cover_minor=1000,
        valid_until=date(2027, 1, 1),
    )


async def answer(house: House, minor: int) -> None:
    money = money_pb2.Money(currency="CNY", amount_minor=minor)
    async with house.desk.records.work() as work:
        await house.claiming.answer(work, "C-1", date(2026, 2, 11), money, "")
        await asyncio.sleep(0.2)


async def file(house: House) -> None:
    money = money_pb2.Money(currency="CNY", amount_minor=900)
    async with house.desk.records.work() as work:
        await house.claiming.file(work, "C-1", date(2026, 2, 10), money, "officer", 99)
        await asyncio.sleep(0.2)


async def test_a_cure_is_heard_by_who_did_not_hear_the_delay(houses: Houses) -> None:
    """One process heard that the loan is late, the other that it is cured: the case closes."""
    one, other = houses
    await hear(one, LATE)
    await hear(other, event(2, "CURED", "2026-02-07", 0))

    assert not (await case_of(one)).open


async def test_healthy_loans_leave_nothing(houses: Houses) -> None:
    """What was never late has no case, whoever heard of it."""
    await hear(houses[0], event(1, "REPAYMENT_POSTED", "2026-02-06", 0))

    async with houses[1].desk.records.work() as work:
        assert await work.get(Case, "L-1") is None


async def test_a_claim_keeps_what_the_case_heard_meanwhile(houses: Houses) -> None:
    """A cure that is heard while a claim is being filed is not written over."""
    one, other = houses
    await hear(one, LATE)
    async with one.desk.records.work() as work:
        await one.claiming.open(work, claim())

    await asyncio.gather(file(one), hear(other, event(2, "CURED", "2026-02-10", 0)))

    assert [fact.type for fact in (await case_of(one)).facts] == ["BUCKET_CHANGED", "CURED"]


async def test_a_claim_has_one_answer(houses: Houses) -> None:
    """Two answers at two processes: one is taken, and the ledger is told just that."""
    one, other = houses
    await hear(one, LATE)
    async with one.desk.records.work() as work:
        await one.claiming.open(work, claim())
    await file(one)

    ended = await asyncio.gather(answer(one, 500), answer(other, 900), return_exceptions=True)

    async with one.desk.records.work() as work:
        known = await one.claiming.claim(work, "C-1")
        orders = [order async for order in work.every(Order)]
    told = [ledger_pb.PostGuaranteePaymentRequest.FromString(order.body) for order in orders]
    assert [one.amount.amount_minor for one in told] == [known.paid_minor]
    assert [type(one) for one in ended if one is not None] == [ClaimNotFiled]


async def test_one_claim_on_a_stand_in_at_a_time(houses: Houses) -> None:
    """Two claims on one insurer, opened at once at two processes: one of them waits."""
    await hear(houses[0], LATE)

    async def open_claim(house: House, name: str) -> None:
        async with house.desk.records.work() as work:
            await house.claiming.open(work, claim(name))
            await asyncio.sleep(0.2)

    opened = [open_claim(house, f"C-{number}") for number, house in enumerate(houses)]
    ended = await asyncio.gather(*opened, return_exceptions=True)

    assert [type(one) for one in ended if one is not None] == [ClaimAlreadyOpen]


@pytest.mark.parametrize("round_", range(5))
async def test_a_receipt_beside_the_sender_is_taken_once(houses: Houses, round_: int) -> None:
    """The carrier reports while we write down that we sent: delivered, its attempt ended, told."""
    one, other = houses
    sent = asyncio.Event()

    class Slow(Way):
        async def send(self, *given: Any) -> str:
            sent.set()
            await asyncio.sleep(0.003 * round_)
            return ""

    by(one, Slow())
    by(other, Way(*[ChannelAway("not here")] * 100))
    sending = asyncio.create_task(hear(one, LATE))
    await sent.wait()
    async with other.desk.records.work() as work:
        (message,) = await messages_of(work, "L-1")
        at = datetime(2026, 2, 7, tzinfo=UTC)
        await other.debtors.receipt(work, message.name, at, delivered=True, note="")
    await sending

    async with one.desk.records.work() as work:
        (message,) = await messages_of(work, "L-1")
        attempts = [made async for made in work.every(Attempt)]
    assert message.state == "DELIVERED"
    assert [made.outcome for made in attempts] == ["SENT"]


async def test_two_receipts_at_once_have_a_clear_answer(houses: Houses) -> None:
    """Two processes take a carrier's two receipts in: no error without a reason, one state."""
    one, _ = houses
    by(one, Way())
    await hear(one, LATE)

    async def take(house: House) -> None:
        async with house.desk.records.work() as work:
            (message,) = await messages_of(work, "L-1")
            await asyncio.sleep(0.05)
            at = datetime(2026, 2, 7, tzinfo=UTC)
            await house.debtors.receipt(work, message.name, at, delivered=True, note="")

    await asyncio.gather(*(take(house) for house in houses))

    async with one.desk.records.work() as work:
        (message,) = await messages_of(work, "L-1")
    assert message.state == "DELIVERED"
