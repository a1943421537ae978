"""Real SMTP, a real webhook: taken, refused, away, and not known; and kill -9 while sending."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from lending.collections.v1 import contact_service_pb2 as pb
from lending.collections.v1 import work_service_pb2 as work_pb
from lending.collections.v1.contact_service_pb2_grpc import ContactServiceStub
from lending.collections.v1.work_service_pb2_grpc import WorkServiceStub
from lending.common.v1.page_pb2 import Page

from services.collections.application.desk import messages_of
from shared.runtime.bus import Bus
from shared.runtime.grpc_client import open_channel
from shared.runtime.nats_server import start_nats
from shared.subscriber.chain import GENESIS, event_hash
from tests.services.collections.carriers import SECRET, Carrier, Mailbox, SmtpServer
from tests.services.collections.house import a_house, event, hear
from tests.system.processes import Service, free_port

SEED, KILLS, LOANS = 20260210, 8, 40


async def register(house: Any, **how: str) -> None:
    request = pb.RegisterDebtorRequest(request_id="r-1", borrower_ref="B-1", **how)
    async with house.desk.records.work() as work:
        await house.debtors.register(work, request)


def by_mail(port: int) -> dict[str, Any]:
    return {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_starttls": False}


MAIL = [
    # address | server's answer to it | what becomes of the message | the carrier's words
    ("li@example.com", None, "SENT", ""),
    ("full@example.com", "452 mailbox full", "PLANNED", "452 mailbox full"),
    ("gone@example.com", "550 no such user", "BOUNCED", "550 no such user"),
]


@pytest.mark.parametrize(("address", "answer", "state", "why"), MAIL)
async def test_mail_by_a_real_server(
    tmp_path: Path, address: str, answer: str | None, state: str, why: str
) -> None:
    """Taken, refused for now and refused for good are told apart; each is in the book."""
    mailbox = Mailbox(answers={address: answer} if answer else {})
    with SmtpServer(free_port(), mailbox) as server:
        async with a_house(tmp_path, **by_mail(server.port)) as house:
            await register(house, email=address, language="en")
            await hear(house, event(1, "GRACE_ENTERED", "2026-02-06", 1))
            async with house.desk.records.work() as work:
                (message,) = await messages_of(work, "L-1")

    assert (message.state, message.why) == (state, why)
    assert len(mailbox.mails) == (state == "SENT")
    for mail in mailbox.mails:
        assert mail["Subject"] == "A reminder about your loan"
        assert "1,066.19 CNY" in mail.get_payload(decode=True).decode()
        assert "STOP" in mail.get_payload(decode=True).decode()


async def test_a_server_that_is_away_gets_it_later(tmp_path: Path) -> None:
    """While nobody listens the reminder waits; when somebody does it is sent, once."""
    port, mailbox = free_port(), Mailbox()
    async with a_house(tmp_path, **by_mail(port)) as house:
        await register(house, email="li@example.com")
        await hear(house, event(1, "GRACE_ENTERED", "2026-02-06", 1))
        with SmtpServer(port, mailbox):
            await house.desk.see(date(2026, 2, 7))
            await house.desk.sending.send_due()
            await house.desk.sending.send_due()
        async with house.desk.records.work() as work:
            (message,) = await messages_of(work, "L-1")

    assert (message.state, message.tries) == ("SENT", 2)
    assert list(mailbox.taken.values()) == [1]


async def test_a_carrier_whose_answer_is_lost_has_one_message(tmp_path: Path) -> None:
    """Busy once, an answer lost once, then fine: three posts, all signed, one message."""
    with Carrier(free_port(), busy=1, lose=1) as carrier:
        ways = {"webhook_url": carrier.url, "webhook_secret": SECRET, **by_mail(free_port())}
        async with a_house(tmp_path, **ways) as house:
            await register(house, phone="+8613800000000")
            await hear(house, event(1, "GRACE_ENTERED", "2026-02-06", 1))
            for _ in range(3):
                await house.desk.sending.send_due()
            async with house.desk.records.work() as work:
                (message,) = await messages_of(work, "L-1")

    assert (carrier.posts, carrier.forged) == (3, 0)
    assert list(carrier.taken.values()) == [1]
    assert (message.state, message.channel) == ("SENT", "SMS")
    assert carrier.texts[message.name]["to"] == "+8613800000000"


@pytest.fixture
def collections(tmp_path: Path) -> Iterator[Service]:
    port, nats_port = free_port(), free_port()
    nats = start_nats(tmp_path / "nats", nats_port)
    environment = {
        "COLLECTIONS_GRPC_PORT": str(port),
        "COLLECTIONS_METRICS_PORT": "0",
        "COLLECTIONS_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/collections.db",
        "COLLECTIONS_NATS_URL": f"nats://127.0.0.1:{nats_port}",
        "COLLECTIONS_LEDGER_TARGET": f"127.0.0.1:{free_port()}",
        "COLLECTIONS_OUTBOX_FOLDER": str(tmp_path / "outbox"),
        "COLLECTIONS_SMTP_HOST": "127.0.0.1",
        "COLLECTIONS_SMTP_STARTTLS": "false",
        "COLLECTIONS_WEBHOOK_SECRET": SECRET,
    }
    service = Service("collections", port, environment, tmp_path / "collections.log")
    yield service
    service.stop()
    nats.kill()
    nats.wait()


async def publish_twice(service: Service, chance: random.Random) -> None:
    """Publish two stages of each loan, every event twice, loans interleaved."""
    bus = await Bus.connect(service.environment["COLLECTIONS_NATS_URL"], "ledger")
    await bus.ensure_streams()
    stages = [("GRACE_ENTERED", "2026-02-06", 1), ("GRACE_EXPIRED", "2026-02-09", 4)]
    last = dict.fromkeys(range(LOANS), GENESIS)
    for sequence, (type_, on, late) in enumerate(stages, start=1):
        before = dict(last)
        numbers = [number for number in range(LOANS) for _ in range(2)]
        chance.shuffle(numbers)
        for place, number in enumerate(numbers):
            loan = f"L-{number:03}"
            said = event(sequence, type_, on, late, loan=loan, borrower=f"B-{number:03}")
            body = said.SerializeToString()
            headers = {"ce-subject": loan, "ce-sequence": str(sequence)}
            headers |= {"ce-previoushash": before[number], "ce-type": f"lending.ledger.v1.{type_}"}
            subject = f"lending.v1.delinquency.{type_.lower()}.{loan}"
            await bus.publish(subject, body, f"{subject}/{place}", headers)
            last[number] = event_hash(before[number], body)
    await bus.close()


async def all_messages(service: Service) -> list[Any]:
    channel = open_channel(f"127.0.0.1:{service.port}")
    found = []
    for number in range(LOANS):
        asked = pb.ListMessagesRequest(loan_id=f"L-{number:03}")
        found += (await ContactServiceStub(channel).ListMessages(asked)).messages
    await channel.close()
    return found


async def register_all(service: Service) -> None:
    """Every second borrower is reached by e-mail, the others by SMS."""
    channel = open_channel(f"127.0.0.1:{service.port}")
    for number in range(LOANS):
        known = {"email": f"b{number}@example.com"} if number % 2 else {"phone": f"+86138{number}"}
        request = pb.RegisterDebtorRequest(
            request_id=f"reg-{number}", borrower_ref=f"B-{number:03}", **known
        )
        await ContactServiceStub(channel).RegisterDebtor(request)
    await channel.close()


async def tasks_to_check(service: Service) -> list[Any]:
    channel = open_channel(f"127.0.0.1:{service.port}", 10.0)
    asked = work_pb.ListTasksRequest(kind="CHECK_MESSAGE", page=Page(size=200))
    answer = await WorkServiceStub(channel).ListTasks(asked)
    await channel.close()
    return list(answer.tasks)


def done(messages: list[Any]) -> bool:
    """Every loan has its M1 message, and nothing waits."""
    waiting = (pb.MESSAGE_STATE_PLANNED, pb.MESSAGE_STATE_READY, pb.MESSAGE_STATE_SENDING)
    loans = {one.loan_id for one in messages if one.stage == "M1"}
    return len(loans) == LOANS and all(one.state not in waiting for one in messages)


async def test_killed_while_sending_nothing_goes_out_twice_and_nothing_is_lost(
    collections: Service, tmp_path: Path
) -> None:
    """Killed six times, events twice and late: a message goes out once, or a person looks."""
    chance, mailbox = random.Random(SEED), Mailbox(slow_seconds=0.06)
    with (
        SmtpServer(free_port(), mailbox) as smtp,
        Carrier(free_port(), slow_seconds=0.06) as carrier,
    ):
        collections.environment["COLLECTIONS_SMTP_PORT"] = str(smtp.port)
        collections.environment["COLLECTIONS_WEBHOOK_URL"] = carrier.url
        collections.start()
        await register_all(collections)
        await publish_twice(collections, chance)
        for _ in range(KILLS):
            await asyncio.sleep(0.2 + chance.random() * 0.5)
            collections.kill()
            collections.start()
        for _ in range(300):
            found = await all_messages(collections)
            if done(found):
                break
            await asyncio.sleep(0.2)

        looked_at = {task.task_id for task in await tasks_to_check(collections)}

    states = {one.name: one.state for one in found}
    assert done(found), states
    by_state = {state: {n for n, s in states.items() if s == state} for state in states.values()}
    sent = by_state[pb.MESSAGE_STATE_SENT]
    uncertain = by_state.get(pb.MESSAGE_STATE_UNCERTAIN, set())
    # Of which nobody knows whether it arrived, a person has a task; of no other.
    assert looked_at == {f"{name}.check" for name in uncertain}
    taken = mailbox.taken + carrier.taken
    assert len({(one.loan_id, one.stage) for one in found}) == len(found)
    assert max(taken.values()) == 1
    lost = [one for one in found if one.name in sent - set(taken)]
    assert lost == []
    assert set(taken) <= sent | uncertain
    assert not (tmp_path / "outbox").exists()
    by_sms = [one for one in found if one.name in uncertain and int(one.name[2:5]) % 2 == 0]
    assert max(len(by_sms), len(uncertain) - len(by_sms)) <= KILLS  # One under way per carrier.
    assert {one.why for one in by_sms} <= {"the case is in M1"}
    assert all(one.why == "the case is in M1" for one in found if one.name not in sent | uncertain)
