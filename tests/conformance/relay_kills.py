"""Kill the relay at each named point, and hold the stream against a fresh replay of the log."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from shared.runtime.bus import Bus
from shared.runtime.nats_server import start_nats
from shared.runtime.streams import DIGEST
from tests.conformance.books import (
    days_closed,
    differences,
    make_book,
    read_all,
    told_by_the_log,
)
from tests.system.processes import ROOT, free_port

SECONDS_MAX, KILL_SECONDS_MAX = 60.0, 30.0
LOANS = 6


class Killed(NamedTuple):
    """How often it was killed, how many events are stored, and which loans are wrong."""

    kills: int
    events: int
    wrong: list[str]


def start(nats_url: str, database: Path, point: str, times: int) -> subprocess.Popen[bytes]:
    """Start a relay that kills itself when it passes a point for the n-th time."""
    module = "tests.conformance.relay_process"
    command = [sys.executable, "-m", module, nats_url, str(database), point, str(times)]
    return subprocess.Popen(command, cwd=ROOT)


def _most(point: str) -> int:
    """Return how many passings to wait for at most, so that the book outlasts the kills."""
    return 2 if "position" in point else 5 if "state" in point else 20


async def complete(bus: Bus, database: Path) -> list[str]:
    """Wait until the stream holds as much as the log tells; return what is wrong with it."""
    wanted = sum(len(lane) for lane in told_by_the_log(database)[0].values())
    days = len(days_closed(database))
    for _ in range(int(SECONDS_MAX / 0.2)):
        told = len(await read_all(bus)), len(await read_all(bus, f"{DIGEST}.*"))
        if told[0] >= wanted and told[1] >= days:
            break
        await asyncio.sleep(0.2)
    return await differences(bus, database)


async def kill_at(
    folder: Path, points: list[str], seed: int, say: Callable[[str], None] = lambda _: None
) -> Killed:
    """
    Kill the relay once at each of some points, at random passings; then let it finish.

    Args:
        folder: Empty; for the book, its tables and NATS.
        points: Of POINTS, in the order of the kills.
        seed: Of the passings.
        say: Hears of the progress.
    """
    chance, database = random.Random(seed), folder / "ledger.db"
    await make_book(folder, LOANS + 2 * len(points))
    port = free_port()
    nats = start_nats(folder / "nats", port)
    url = f"nats://127.0.0.1:{port}"
    bus = await Bus.connect(url, "kills")
    await bus.ensure_streams()
    killed = 0
    for number, point in enumerate(points):
        process = start(url, database, point, chance.randint(1, _most(point)))
        try:
            code = await asyncio.to_thread(process.wait, KILL_SECONDS_MAX)
            killed += code == -9
            say(f"{point}: killed {number + 1} of {len(points)}")
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    last = start(url, database, "never", 1)
    wrong = await complete(bus, database)
    last.kill()
    last.wait()
    events = len(await read_all(bus))
    await bus.close()
    nats.kill()
    nats.wait()
    return Killed(killed, events, wrong)
