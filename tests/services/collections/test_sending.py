"""What could leave that must not, and what could stay that must leave: one row each."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lending.collections.v1 import contact_service_pb2 as pb

from services.collections import wire
from services.collections.application.deciding import plan
from services.collections.application.desk import messages_of
from services.collections.application.ports import ChannelUncertain
from services.collections.application.sending import Carrier
from services.collections.compose import House
from services.collections.domain.contact_rules import Channel, ProtectionKind
from services.collections.domain.debtor import (
    Protection,
)
from services.collections.domain.message import Letter, Message, MessageState
from services.collections.domain.permit import Permit
from services.collections.domain.task import Task
from tests.services.collections.house import a_house, event, hear
from tests.services.collections.test_carriers import register

LATE = event(1, "GRACE_ENTERED", "2026-02-06", 1)


class Way:
    """A carrier by hand: raises what it is told to, and remembers what it took."""

    repeatable, needs_address = True, False

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.taken = list(failures), []

    async def send(self, permit: Permit, letter: Letter) -> str:
        if self.failures:
            raise self.failures.pop(0)
        self.taken.append(letter.name)
        return "ref"


def by(house: House, way: Any) -> None:
    """Let every message of a house leave by one carrier."""
    house.desk.sending.deciding.channels.update(dict.fromkeys(Channel, way))
    house.desk.sending.carriers[:] = [Carrier(way, frozenset(Channel))]


async def only(house: House, loan: str = "L-1") -> Message:
    async with house.desk.records.work() as work:
        (message,) = await messages_of(work, loan)
    return message


def shield(kind: str, **more: Any) -> Protection:
    known = {"protection_id": "p-1", "from_on": date(2026, 2, 1), **more}
    return Protection(kind=ProtectionKind(kind), **known)


async def protect(house: House, one: Protection, borrower: str = "B-1") -> None:
    async with house.desk.records.work() as work:
        await house.debtors.protect(work, borrower, one)


MEANWHILE = ["asked to be left alone", "paid"]


@pytest.mark.parametrize("meanwhile", MEANWHILE)
async def test_a_post_whose_end_is_not_known_is_not_repeated_for_ever(
    tmp_path: Path, meanwhile: str
) -> None:
    """Repeated only while it is right: after a shield or a cure a person looks instead."""
    async with a_house(tmp_path) as house:
        way = Way(ChannelUncertain("timeout"))
        by(house, way)
        await hear(house, LATE)
        assert (await only(house)).state == "SENDING"

        if meanwhile == "paid":
            await hear(house, event(2, "CURED", "2026-02-07", 0))
        else:
            await protect(house, shield("CEASED"))
        await house.desk.sending.send_due()

        async with house.desk.records.work() as work:
            tasks = await work.find(Task, state="OPEN")
        assert ((await only(house)).state, way.taken) == ("UNCERTAIN", [])
        assert [task.kind for task in tasks] == ["CHECK_MESSAGE"]


async def test_what_is_ready_is_asked_again_before_it_leaves(tmp_path: Path) -> None:
    """Between the permit and the send the debtor asks for quiet: it does not leave."""
    async with a_house(tmp_path) as house:
        way = Way()
        by(house, way)
        house.desk.sending.carriers[0].rests_until = 1e12
        await hear(house, LATE)
        assert (await only(house)).state == "READY"

        await protect(house, shield("CEASED"))
        house.desk.sending.carriers[0].rests_until = 0.0
        await house.desk.sending.send_due()
        await house.desk.sending.send_due()

        assert ((await only(house)).state, way.taken) == ("CANCELLED", [])


async def test_a_carrier_that_hangs_holds_nobody_else(tmp_path: Path) -> None:
    """While SMS never answers, mail goes out; after failures in a row SMS rests."""

    class Hanging(Way):
        async def send(self, permit: Permit, letter: Letter) -> str:
            await asyncio.sleep(60)
            return ""

    async with a_house(tmp_path) as house:
        mail, sms = Way(), Hanging()
        house.desk.sending.deciding.channels.update({Channel.EMAIL: mail, Channel.SMS: sms})
        house.desk.sending.carriers[:] = [
            Carrier(sms, frozenset([Channel.SMS])),
            Carrier(mail, frozenset([Channel.EMAIL])),
        ]
        stop = asyncio.Event()
        running = asyncio.create_task(house.desk.sending.run(stop))
        await hear_only(
            house, event(1, "GRACE_ENTERED", "2026-02-06", 1, loan="L-2", borrower="B-2")
        )
        async with house.desk.records.work() as work:
            opted = shield("OPT_OUT", channel=Channel.EMAIL)
            await house.debtors.register(work, pb.RegisterDebtorRequest(borrower_ref="B-1"))
            await house.debtors.protect(work, "B-1", opted)
        await hear_only(house, LATE)
        await asyncio.sleep(0.3)
        await hear_only(
            house, event(1, "GRACE_ENTERED", "2026-02-06", 1, loan="L-3", borrower="B-3")
        )
        for _ in range(600):
            if len(mail.taken) == 2:
                break
            await asyncio.sleep(0.1)
        running.cancel()

        assert (await only(house)).state == "SENDING"
        assert len(mail.taken) == 2
    rests = Carrier(sms, frozenset([Channel.SMS]))
    for _ in range(2):
        rests.ended(well=False)
    assert rests.rests_until == 0.0
    rests.ended(well=False)
    assert rests.rests_until > 0.0


async def hear_only(house: House, *said: Any) -> None:
    """Hear without sending: the house's own loop does that."""
    for one in said:
        async with house.desk.records.work() as work:
            await house.desk.hear(wire.heard(one), work)


async def test_no_number_of_messages_put_off_starves_another(tmp_path: Path) -> None:
    """A thousand wait for a far day under names that sort first; the one that is due leaves."""
    async with a_house(tmp_path) as house:
        await hear(house, LATE)
        far = msgspec.structs.replace(
            await only(house),
            state=MessageState.PLANNED,
            planned_at=datetime(2026, 6, 1, tzinfo=UTC),
        )
        async with house.desk.records.work() as work:
            for number in range(1000):
                await plan(work, msgspec.structs.replace(far, name=f"A.{number:04}"))
            due = await work.due(Message, "PLANNED", "2026-03-01", ("", ""), 10)
        assert due == []
        await hear(house, event(1, "GRACE_ENTERED", "2026-02-06", 1, loan="L-2", borrower="B-2"))

        assert (await only(house, "L-2")).state == "SENT"


async def test_one_bad_message_stops_no_other(tmp_path: Path) -> None:
    """A template that is not there, a channel's own mistake: a person looks, the rest leaves."""
    async with a_house(tmp_path) as house:
        way = Way(ValueError("header"))
        by(house, way)
        await hear(house, LATE)
        await hear(house, event(1, "GRACE_ENTERED", "2026-02-06", 1, loan="L-2", borrower="B-2"))
        async with house.desk.records.work() as work:
            (right,) = await messages_of(work, "L-2")
            wrong = {"name": "L-2.x", "template": "none", "state": MessageState.PLANNED}
            await plan(work, msgspec.structs.replace(right, **wrong))
        await hear(house, event(1, "GRACE_ENTERED", "2026-02-06", 1, loan="L-3", borrower="B-3"))

        async with house.desk.records.work() as work:
            states = {one.name: one.state for one in await work.find(Message)}
            tasks = await work.find(Task)
    assert states.pop("L-2.x") == "CANCELLED"
    assert sorted(states.values()) == ["SENT", "SENT", "UNCERTAIN"]
    assert len(tasks) == 2


async def test_late_before_the_first_rules_is_heard(tmp_path: Path) -> None:
    """A loan in euro that was late before the first row of rules stops neither stream nor house."""
    async with a_house(tmp_path) as house:
        await hear(house, event(1, "GRACE_ENTERED", "2020-02-06", 1, currency="EUR"))

        assert (await only(house)).state in ("SENT", "PLANNED")


async def test_opted_out_of_mail_and_too_early_for_sms_waits(tmp_path: Path) -> None:
    """No mail for ever, no SMS at this hour: planned for the hour at which SMS may go."""
    async with a_house(tmp_path) as house:
        async with house.desk.records.work() as work:
            request = pb.RegisterDebtorRequest(
                borrower_ref="B-1", jurisdiction="US", time_zone="America/Los_Angeles"
            )
            await house.debtors.register(work, request)
            opted = shield("OPT_OUT", channel=Channel.EMAIL)
            await house.debtors.protect(work, "B-1", opted)
            # Planned by the hour of Shanghai: the middle of the night in Los Angeles.
            await hear_at(house, work, LATE, datetime(2026, 2, 6, 10, tzinfo=UTC))
        message = await only(house)
        assert (message.state, message.planned_at.isoformat()) == (
            "PLANNED",
            "2026-02-06T16:00:00+00:00",
        )


async def hear_at(house: House, work: Any, said: Any, planned_at: datetime) -> None:
    house.desk.sending.clock.see(date(2026, 2, 5))
    heard = wire.heard(said)
    await house.desk.hear(heard, work)
    (message,) = await messages_of(work, heard.loan_id)
    again = msgspec.structs.replace(message, state=MessageState.PLANNED, planned_at=planned_at)
    await plan(work, again)
    await house.desk.sending.deciding.decide(work, again)


async def test_no_address_today_is_asked_again_tomorrow(tmp_path: Path) -> None:
    """Cancelled for want of an address, the reminder leaves once there is one."""
    async with a_house(tmp_path) as house:
        way = Way()
        way.needs_address = True  # type: ignore[misc]
        by(house, way)
        await hear(house, LATE)
        assert ((await only(house)).state, (await only(house)).why) == (
            "CANCELLED",
            "no address is known",
        )
        await register(house, email="li@example.com")
        await house.desk.see(date(2026, 2, 8))
        await house.desk.sending.send_due()

        assert ((await only(house)).state, len(way.taken)) == ("SENT", 1)


async def test_a_receipt_that_is_faster_than_we_stays(tmp_path: Path) -> None:
    """The carrier's bounce comes before its answer: the message stays bounced."""
    async with a_house(tmp_path) as house:

        class Fast(Way):
            async def send(self, permit: Permit, letter: Letter) -> str:
                at = datetime(2026, 2, 6, 3, tzinfo=UTC)
                async with house.desk.records.work() as work:
                    await house.debtors.receipt(
                        work, letter.name, at, delivered=False, note="no such number"
                    )
                return "ref-1"

        by(house, Fast())
        await hear(house, LATE)

        message = await only(house)
        assert (message.state, message.carrier_ref) == ("BOUNCED", "ref-1")


async def test_loans_whose_ids_begin_alike_are_told_apart(tmp_path: Path) -> None:
    """L-1 closes: neither tasks nor messages of L-1.2 are touched, or shown as its own."""
    async with a_house(tmp_path) as house:
        await hear(house, LATE)
        await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 40, loan="L-1.2"))
        await house.desk.see(date(2026, 2, 10))
        await hear(house, event(2, "CURED", "2026-02-10", 0))

        async with house.desk.records.work() as work:
            tasks = {one.loan_id: one.state for one in await work.find(Task)}
            messages = await messages_of(work, "L-1")
        assert tasks == {"L-1.2": "OPEN"}
        assert {one.loan_id for one in messages} == {"L-1"}
