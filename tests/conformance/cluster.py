"""Three NATS servers on loopback, the relay publishing, and the stream's leader killed under it."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
from tests.conformance.books import differences, make_book, told_by_the_log
from tests.system.processes import free_port

SERVERS, LOOK_SECONDS, DOWN_SECONDS, SECONDS_MAX = 3, 0.1, 3.0, 240.0


class Survived(NamedTuple):
    """Leaders killed, events stored, seconds in which none was stored per kill, what is wrong."""

    kills: int
    events: int
    outages: list[float]
    wrong: list[str]


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
    folder: Path, kills: int, loans: int, say: Callable[[str], None] = lambda _: None
) -> Survived:
    """
    Relay a book into a stream of three replicas; kill its leader again and again meanwhile.

    Args:
        folder: Empty; for the book and the servers.
        kills: How often; each killed server comes back after three seconds.
        loans: Size of the book; it has to outlast the kills.
        say: Hears of the progress.
    """
    await make_book(folder, loans)
    database = folder / "ledger.db"
    wanted = sum(len(lane) for lane in told_by_the_log(database)[0].values())
    say(f"{loans} loans, {wanted} events")
    store = open_event_store(f"sqlite+aiosqlite:///{database}")
    models = ReadModels(open_database(f"sqlite+aiosqlite:///{folder}/relay.db"))
    await models.create()
    async with started(folder) as cluster:
        bus = await Bus.connect(cluster.urls, "watch")
        await bus.ensure_streams(SERVERS)
        relay = Relay(
            Follower(store, decode),
            models,
            cluster.urls,
            StreamSafety(production=True, replicas=SERVERS),
        )
        relaying = asyncio.create_task(relay.run(asyncio.Event()))
        outages = [await _kill_one(cluster, bus, wanted, say) for _ in range(kills)]
        until = monotonic() + SECONDS_MAX
        while (await leader(bus))[1] < wanted and monotonic() < until:
            await asyncio.sleep(LOOK_SECONDS)
        wrong = await differences(bus, database)
        relaying.cancel()
        await bus.close()
        store.close()
        return Survived(kills, wanted, [one for one in outages if one], wrong)


async def _kill_one(cluster: Cluster, bus: Bus, wanted: int, say: Callable[[str], None]) -> float:
    """Kill the leader while events are stored; return the seconds until the next one is."""
    number, before = await leader(bus)
    while (await leader(bus))[1] == before and before < wanted:
        await asyncio.sleep(LOOK_SECONDS)
    number, before = await leader(bus)
    cluster.kill(number)
    killed_at = monotonic()
    if before >= wanted:
        say("the book was told before this kill")
    while (await leader(bus))[1] <= before < wanted and monotonic() - killed_at < SECONDS_MAX:
        await asyncio.sleep(LOOK_SECONDS)
    outage = monotonic() - killed_at if before < wanted else 0.0
    say(f"leader n{number} killed at {before} of {wanted}: {outage:.1f} s without an event")
    await asyncio.sleep(max(0.0, DOWN_SECONDS - outage))
    cluster.start(number)
    return outage
