"""Who begins on a real NATS: with states that are gone, a stream made again, a broker away."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from lending.ledger.v1.events_pb2 import DelinquencyState

from services.ledger.adapters.states_told import say_states_told
from shared.runtime.bus import Bus, BusDown
from shared.runtime.database import open_database
from shared.runtime.nats_server import start_nats
from shared.runtime.records import Records, Work
from shared.runtime.streams import STATE, STATE_STREAM
from shared.subscriber.event import Event
from shared.subscriber.inbox import Inbox, create_inbox
from shared.subscriber.snapshot import StatesMissing, join, states
from shared.subscriber.subscriber import Subscriber
from tests.conformance.messages import chained, event, publish
from tests.system.processes import free_port
from tests.waiting import until


@dataclass
class Desk:
    """A NATS, and a subscriber of which every event is noted."""

    folder: Path
    port: int
    nats: Any
    bus: Bus
    records: Records
    heard: list[tuple[str, bool]] = field(default_factory=list)
    away: int = 0

    async def hear(self, one: Event, _: Work) -> None:
        if self.away:
            self.away -= 1
            raise BusDown("no acknowledgement")
        self.heard.append((one.id, one.replay))

    @asynccontextmanager
    async def following(self, **more: Any) -> AsyncIterator[Subscriber[Work]]:
        """Follow the stream meanwhile."""
        made = Subscriber(self.bus, "desk", self.records.work, self.hear, **more)
        task = asyncio.create_task(made.run(asyncio.Event()))
        try:
            yield made
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, *names: str) -> None:
        """Wait until these events were heard, in this order."""

        async def all_heard() -> bool:
            return [name for name, _ in self.heard] == list(names)

        assert await until(all_heard), self.heard

    async def wipe(self) -> None:
        """The broker comes back empty."""
        self.nats.kill()
        self.nats.wait()
        shutil.rmtree(self.folder / "nats")
        before = self.bus.reconnects
        self.nats = start_nats(self.folder / "nats", self.port)
        while self.bus.reconnects == before:
            await asyncio.sleep(0.05)
        await self.bus.ensure_streams()

    async def parked(self) -> list[str]:
        async with self.records.work() as unit:
            rows = await Inbox("desk").parked(unit.connection)
        return [f"{row.loan_id}/{row.sequence} {row.reason}" for row in rows]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    port = free_port()
    nats = start_nats(tmp_path / "nats", port)
    bus = await Bus.connect(f"nats://127.0.0.1:{port}", "desk")
    await bus.ensure_streams()
    records = Records(open_database(f"sqlite+aiosqlite:///{tmp_path}/desk.db"))
    await create_inbox(records.engine)
    made = Desk(tmp_path, port, nats, bus, records)
    yield made
    await bus.close()
    await records.engine.dispose()
    made.nats.kill()
    made.nats.wait()


async def say(bus: Bus, loan_id: str) -> None:
    """Publish the state of a loan."""
    body = DelinquencyState(loan_id=loan_id, sequence=1, hash="a" * 64)
    await bus.publish(f"{STATE}.{loan_id}", body.SerializeToString(), "", {})


async def test_states_that_were_purged_are_none(desk: Desk) -> None:
    """Somebody emptied the state stream: a new subscriber is told so at once, and goes on."""
    await say(desk.bus, "L-1")
    await desk.bus.client.jsm().purge_stream(STATE_STREAM)

    began = monotonic()
    found = await states(desk.bus)

    assert (found, monotonic() - began < 2) == ([], True)


async def test_states_are_taken_only_while_they_are_whole(desk: Desk) -> None:
    """Nothing said, being told again, one too few: wait. All there, or no event at all: begin."""

    async def taken() -> list[str] | None:
        found: list[str] = []

        async def take(states: Sequence[DelinquencyState], _: Work) -> None:
            found.extend(state.loan_id for state in states)

        try:
            async with desk.records.work() as unit:
                await join(desk.bus, take, unit)
        except StatesMissing:
            return None
        return found

    said = [await taken()]
    await publish(desk.bus, chained([event("L-1", "CURED")]))
    await say(desk.bus, "L-1")
    said.append(await taken())
    for whole, loans in ((False, 0), (True, 2), (True, 1)):
        await say_states_told(desk.bus, whole=whole, loans=loans)
        said.append(await taken())

    assert said == [[], None, None, None, ["L-1"]]


async def test_one_loan_without_a_state_is_said_at_once(desk: Desk) -> None:
    """Of another loan nothing is waited for; of this one its state is found."""
    await say(desk.bus, "L-1")

    began = monotonic()
    found = [[one.loan_id for one in await states(desk.bus, name)] for name in ("L-2", "L-1")]

    assert (found, monotonic() - began < 2) == ([[], ["L-1"]], True)


async def test_history_stays_muted_in_a_stream_made_again(desk: Desk) -> None:
    """What waited for its forerunner, and what was not yet read, is older than the subscriber."""
    old = chained(event("L-1", "CURED", f"2026-02-0{n}") for n in (1, 2, 3))
    new = chained(event("L-2", "CURED", f"2026-02-0{n}") for n in (2, 4))
    await publish(desk.bus, [old[0], old[2]])
    async with desk.following(mute_history=True):
        await desk.until("L-1/1")
    await desk.wipe()
    await publish(desk.bus, [*old, *new])

    async with desk.following(mute_history=True):
        await desk.until("L-1/1", "L-1/2", "L-1/3", "L-2/1", "L-2/2")

    assert [name for name, replay in desk.heard if not replay] == ["L-2/2"]


async def test_a_broker_that_is_away_is_nobodys_fault(desk: Desk) -> None:
    """A handler that could not publish is asked again, and nothing is parked."""
    desk.away = 5
    await publish(desk.bus, chained([event("L-1", "CURED")]))

    async with desk.following():
        await desk.until("L-1/1")

    assert await desk.parked() == []
