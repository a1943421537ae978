"""What a service owes goes out in order; what can never go out stands in nobody's way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from lending.common.v1.money_pb2 import Money

from shared.runtime.bus import Bus
from shared.runtime.database import open_database
from shared.runtime.nats_server import start_nats
from shared.runtime.reading import Reader
from shared.runtime.records import Records
from shared.runtime.streams import STREAM
from tests.system.processes import free_port

SUBJECT = "lending.v1.risk.decision_made"


@pytest.fixture
def nats_url(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    server = start_nats(tmp_path / "nats", port)
    yield f"nats://127.0.0.1:{port}"
    server.terminate()
    server.wait()


@pytest.mark.parametrize(
    ("name", "currency"), [("A-1.", "CNY"), ("A..1", "CNY"), ("A 1", "CNY"), ("A-2", "x" * 2**21)]
)
async def test_a_message_that_nothing_takes(
    nats_url: str, tmp_path: Path, name: str, currency: str
) -> None:
    """A subject that is none, or a body too large, is set aside; those behind it go out."""
    records = Records(open_database(f"sqlite+aiosqlite:///{tmp_path}/owes.db"))
    await records.create(1)
    async with records.work() as work:
        for number, one in enumerate(("first", name, "last")):
            body = Money(amount_minor=number, currency=currency if one == name else "CNY")
            await work.owe(f"{SUBJECT}.{one}", f"m-{number}", body, {})
    stop, bus = asyncio.Event(), await Bus.connect(nats_url, "listener")
    relay = asyncio.create_task(records.relay(nats_url, "relay", stop))
    await bus.ensure_streams()
    reader, found = Reader(bus.client, STREAM, [f"{SUBJECT}.>"]), list[str]()
    async with asyncio.timeout(15):
        while len(found) < 2:
            found += [message.subject for message in await reader.batch(2, 1.0)]
    stop.set()
    await relay
    await bus.close()
    await records.engine.dispose()

    assert found == [f"{SUBJECT}.first", f"{SUBJECT}.last"]
