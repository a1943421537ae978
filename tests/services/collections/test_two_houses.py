"""Two processes of collections on one PostgreSQL: one gate, one sender, one plan."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from lending.collections.v1 import collections_service_pb2 as cases_pb
from lending.collections.v1 import contact_service_pb2 as pb
from lending.collections.v1.collections_service_pb2_grpc import CollectionsServiceStub

from shared.kernel.errors import LendingError
from shared.runtime.grpc_client import open_channel
from shared.runtime.nats_server import start_nats
from shared.runtime.postgres_server import start_postgres
from tests.services.collections.carriers import SECRET, Carrier, Mailbox, SmtpServer
from tests.services.collections.test_carriers import (
    LOANS,
    all_messages,
    done,
    publish_twice,
    register_all,
)
from tests.system.processes import Service, free_port

AGENTS = 50


@pytest.fixture
def houses(tmp_path: Path) -> Iterator[tuple[list[Service], Mailbox, Carrier]]:
    """Two processes that share database, stream and carriers."""
    folder = Path(tempfile.mkdtemp(prefix="duebook-pg-"))
    postgres, nats_port = start_postgres(folder / "cluster", free_port()), free_port()
    nats, mailbox = start_nats(tmp_path / "nats", nats_port), Mailbox(slow_seconds=0.02)
    with ExitStack() as stack:
        smtp = stack.enter_context(SmtpServer(free_port(), mailbox))
        carrier = stack.enter_context(Carrier(free_port(), slow_seconds=0.02))
        services = []
        for number in range(2):
            port = free_port()
            environment = {
                "GRPC_PORT": str(port),
                "METRICS_PORT": "0",
                "DATABASE_URL": postgres.url(),
                "NATS_URL": f"nats://127.0.0.1:{nats_port}",
                "LEDGER_TARGET": f"127.0.0.1:{free_port()}",
                "OUTBOX_FOLDER": str(tmp_path / "outbox"),
                "SMTP_HOST": "127.0.0.1",
                "SMTP_PORT": str(smtp.port),
                "SMTP_STARTTLS": "false",
                "WEBHOOK_URL": carrier.url,
                "WEBHOOK_SECRET": SECRET,
            }
            named = {f"COLLECTIONS_{key}": value for key, value in environment.items()}
            service = Service("collections", port, named, tmp_path / f"collections-{number}.log")
            service.start()
            services.append(service)
        yield services, mailbox, carrier
        for service in services:
            service.stop()
    nats.kill()
    nats.wait()
    postgres.stop()
    shutil.rmtree(folder, ignore_errors=True)


async def call(stub: CollectionsServiceStub, number: int) -> str:
    """Ask to call the same borrower at the same minute; return the refusal, or "" if allowed."""
    request = cases_pb.RecordContactRequest(
        request_id=f"call-{number}",
        loan_id="L-000",
        at="2026-02-10T11:00:00+08:00",
        channel="call",
        outcome="in progress",
        made_by=f"agent-{number}",
    )
    try:
        await stub.RecordContact(request)
    except (LendingError, grpc.RpcError) as refusal:
        return str(getattr(refusal, "reason", refusal))
    return ""


async def test_two_houses_are_one(houses: tuple[list[Service], Mailbox, Carrier]) -> None:
    """Fifty agents at two processes: three may call. Every message leaves once, from either."""
    services, mailbox, carrier = houses
    await register_all(services[0])
    await publish_twice(services[0], random.Random(20260210))
    for _ in range(300):
        found = await all_messages(services[0])
        if done(found):
            break
        await asyncio.sleep(0.2)
    assert done(found)

    channels = [open_channel(f"127.0.0.1:{service.port}") for service in services]
    stubs = [CollectionsServiceStub(channel) for channel in channels]
    answers = await asyncio.gather(*(call(stubs[number % 2], number) for number in range(AGENTS)))
    for channel in channels:
        await channel.close()

    assert answers.count("") == 3
    assert set(answers) == {"", "CONTACT_TOO_OFTEN"}
    taken = mailbox.taken + carrier.taken
    sent = {one.name for one in found if one.state == pb.MESSAGE_STATE_SENT}
    assert (max(taken.values()), set(taken)) == (1, sent)
    assert carrier.posts == sum(carrier.taken.values())
    assert len({(one.loan_id, one.stage) for one in found}) == len(found) >= LOANS
    assert pb.MESSAGE_STATE_UNCERTAIN not in {one.state for one in found}
