"""Three NATS servers on loopback, the relay publishing, and the stream's leader killed under it."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.read_models import ReadModels
from services.ledger.adapters.relay import Relay, StreamSafety
from services.ledger.application.following import Follower
from shared.runtime.bus import Bus, BusDown
from shared.runtime.database import open_database
from shared.runtime.nats_server import start_nats
from shared.runtime.records import Records, Work
from shared.subscriber.event import Event
from shared.subscriber.inbox import create_inbox
from shared.subscriber.subscriber import Subscriber
from tests.conformance.books import differences, make_book, told_by_the_log
from tests.system.processes import free_port

SERVERS, LOOK_SECONDS, DOWN_SECONDS, SECONDS_MAX, PAGE = 3, 0.1, 3.0, 240.0, 2


class Outage(NamedTuple):
    """Seconds from a leader's end until there was another, an event was stored, and was heard."""

    elected: float
    stored: float
    heard: float


class Survived(NamedTuple):
    """Leaders killed, events stored, how long each was missed, and what is wrong."""

    kills: int
    events: int
    outages: list[Outage]
    wrong: list[str]


@dataclass
class Ear:
    """A subscriber that notes when it heard an event, and when that was stored."""

    heard: list[tuple[datetime, datetime]] = field(default_factory=list)

    async def hear(self, event: Event, _: Work) -> None:
        """Note it."""
        self.heard.append((datetime.now(UTC), event.message.stored_at))

    def first(self, since: datetime) -> tuple[float, float] | None:
        """Return after how many seconds an event was stored, and heard; None for none yet."""
        for at, stored_at in self.heard:
            if stored_at > since:
                return (stored_at - since).total_seconds(), (at - since).total_seconds()
        return None


@dataclass
class Cluster:
    """Servers by number; any can be killed and started again."""

    folder: Path
    ports: list[int]
    routes: list[int]
    servers: dict[int, subprocess.Popen[bytes]]

    @property
    def urls(self) -> str:
        """Every address, separated by commas."""
        return ",".join(f"nats://127.0.0.1:{port}" for port in self.ports)

    def start(self, number: int) -> None:
        """Start a server; it finds the others."""
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in self.routes)
        more = (
            f"server_name: n{number}\n"
            f"cluster {{ name: c, listen: 127.0.0.1:{self.routes[number]}, routes: [{routes}] }}\n"
        )
        folder = self.folder / f"n{number}"
        self.servers[number] = start_nats(folder, self.ports[number], more=more)

    def kill(self, number: int) -> None:
        """kill -9 a server."""
        self.servers[number].kill()
        self.servers[number].wait()

    def hang(self, number: int) -> None:
        """Stop a server in its tracks: its connections stay, and it says nothing."""
        self.servers[number].send_signal(signal.SIGSTOP)


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Cluster]:
    """Start three servers; kill all at the end."""
    ports = [free_port() for _ in range(2 * SERVERS)]
    cluster = Cluster(folder, ports[:SERVERS], ports[SERVERS:], {})
    try:
        for number in range(SERVERS):
            cluster.start(number)
        yield cluster
    finally:
        for number in cluster.servers:
            cluster.kill(number)


async def leader(bus: Bus) -> tuple[int, int]:
    """Return the number of the stream's leader and its last sequence, once there is one."""
    while True:
        try:
            found = await bus.info()
            if found.cluster and found.cluster.leader:
                return int(found.cluster.leader.removeprefix("n")), found.state.last_seq
        except BusDown:
            pass
        await asyncio.sleep(LOOK_SECONDS)


async def kill_leaders(
    folder: Path,
    kills: int,
    loans: int,
    say: Callable[[str], None] = lambda _: None,
    *,
    hang: bool = False,
) -> Survived:
    """
    Relay a book into a stream of three replicas; kill its leader again and again meanwhile.

    Args:
        folder: Empty; for the book and the servers.
        kills: How often; each killed server comes back when events are stored again.
        loans: Size of the book; it has to outlast the kills.
        say: Hears of the progress.
        hang: Let the leader hang before it is killed, so that no connection breaks.
    """
    await make_book(folder, loans)
    database = folder / "ledger.db"
    wanted = sum(len(lane) for lane in told_by_the_log(database)[0].values())
    say(f"{loans} loans, {wanted} events")
    store = open_event_store(f"sqlite+aiosqlite:///{database}")
    models = ReadModels(open_database(f"sqlite+aiosqlite:///{folder}/relay.db"))
    await models.create()
    safety = StreamSafety(production=True, replicas=SERVERS)
    async with started(folder) as cluster, _listening(cluster, folder) as (bus, ear):
        relay = Relay(Follower(store, decode), models, cluster.urls, safety, page=PAGE)
        relaying = asyncio.create_task(relay.run(asyncio.Event()))
        found = [await _end_one(cluster, bus, ear, wanted, say, hang=hang) for _ in range(kills)]
        until = monotonic() + SECONDS_MAX
        while (await leader(bus))[1] < wanted and monotonic() < until:
            await asyncio.sleep(LOOK_SECONDS)
        wrong = await differences(bus, database)
        relaying.cancel()
    store.close()
    return Survived(kills, wanted, [one for one in found if one], wrong)


@asynccontextmanager
async def _listening(cluster: Cluster, folder: Path) -> AsyncIterator[tuple[Bus, Ear]]:
    """Make the streams, and let a subscriber follow them."""
    bus = await Bus.connect(cluster.urls, "watch")
    await bus.ensure_streams(SERVERS)
    records = Records(open_database(f"sqlite+aiosqlite:///{folder}/ear.db"))
    await create_inbox(records.engine)
    ear, own = Ear(), await Bus.connect(cluster.urls, "ear")
    made = Subscriber(own, "ear", records.work, ear.hear)
    following = asyncio.create_task(made.run(asyncio.Event()))
    try:
        yield bus, ear
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await own.close()
        await bus.close()
        await records.engine.dispose()


async def _end_one(
    cluster: Cluster,
    bus: Bus,
    ear: Ear,
    wanted: int,
    say: Callable[[str], None],
    *,
    hang: bool,
) -> Outage | None:
    """End the leader while events are stored; return how long the next one was missed."""
    number, before = await leader(bus)
    while (await leader(bus))[1] == before and before < wanted:
        await asyncio.sleep(LOOK_SECONDS)
    number, before = await leader(bus)
    since = datetime.now(UTC)
    cluster.hang(number) if hang else cluster.kill(number)
    if before >= wanted:
        say("the book was told before this kill")
        return None
    elected = await _another(bus, number, since)
    until, first = monotonic() + SECONDS_MAX, None
    while first is None and monotonic() < until:
        await asyncio.sleep(LOOK_SECONDS)
        first = ear.first(since)
    found = Outage(elected, *first) if first else None
    say(f"leader n{number} ended at {before} of {wanted}: {found}")
    cluster.kill(number)
    await asyncio.sleep(DOWN_SECONDS)
    cluster.start(number)
    return found


async def _another(bus: Bus, number: int, since: datetime) -> float:
    """Return after how many seconds another server says that it leads the stream."""
    while True:
        try:
            found = (await asyncio.wait_for(bus.info(), 2 * LOOK_SECONDS)).cluster
            if found and found.leader and found.leader != f"n{number}":
                return (datetime.now(UTC) - since).total_seconds()
        except (BusDown, TimeoutError):
            pass
        await asyncio.sleep(LOOK_SECONDS)
