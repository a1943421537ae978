"""CPU of telling a repayment, against nats-py alone: `python -m tests.bench.relaying`."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from time import process_time
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.read_models import ReadModels
from services.ledger.adapters.relay import Relay
from services.ledger.application.following import Follower
from services.ledger.wire_events import Outgoing, outgoing_of, state_of
from shared.runtime.bus import Bus
from shared.runtime.database import open_database
from shared.runtime.nats_server import start_nats
from shared.subscriber.chain import Place
from tests.bench.cpu import TICKS, ticks
from tests.conformance.books import STARTS_ON
from tests.services.ledger.book import open_book
from tests.system.processes import free_port

LOANS, TOGETHER = 1_000, 500
PAGES = (8, 64, 500)


class Cost(NamedTuple):
    """CPU per repayment in microseconds: of the relay, of the broker, and of the floor's client."""

    relay: float
    broker: float
    floor: float


async def make_log(folder: Path, repayments: int) -> int:
    """Lend, then repay; return the log's position between."""
    async with open_book(folder) as book:
        await book.go_to(STARTS_ON)
        for first in range(0, LOANS, TOGETHER):
            await asyncio.gather(*[book.lend(f"L-{first + k}") for k in range(TOGETHER)])
        store = open_event_store(f"sqlite+aiosqlite:///{folder}/ledger.db")
        lent = store.last_position()
        store.close()
        for first in range(0, repayments, TOGETHER):
            numbers = range(first, first + TOGETHER)
            await asyncio.gather(*[book.repay(f"L-{k % LOANS}", 100) for k in numbers])
        return lent


async def relayed(folder: Path, tables: str, lent: int, page: int, port: int) -> None:
    """Let a relay that knows all loans tell the repayments; they are in pages of a size."""
    store = open_event_store(f"sqlite+aiosqlite:///{folder}/ledger.db")
    models = ReadModels(open_database(f"sqlite+aiosqlite:///{folder}/{tables}.db"))
    await models.create()
    await models.published({}, lent)
    relay, stop = Relay(Follower(store, decode), models, f"nats://127.0.0.1:{port}", page=page), 0
    while stop < lent:
        stop = relay.follower.page(stop, until=lent).reached
    wanted, done = store.last_position(), asyncio.Event()
    telling = asyncio.create_task(relay.run(done))
    while relay.told.saved < wanted:
        await asyncio.sleep(0.02)
    done.set()
    await telling
    await models.engine.dispose()
    store.close()


def messages(folder: Path, lent: int) -> list[Outgoing]:
    """Return what the repayments are told as: of each a state and an event."""
    store = open_event_store(f"sqlite+aiosqlite:///{folder}/ledger.db")
    follower, places, found = Follower(store, decode), dict[str, Place](), list[Outgoing]()
    position = 0
    while (page := follower.page(position)).reached != position:
        position = page.reached
        for row in page.followed:
            for one in outgoing_of(row, places.get(row.event.loan_id, Place())):
                places[row.event.loan_id] = one.place
                found += [state_of(row.account, one.place), one]
    store.close()
    return found


async def published(told: Sequence[Outgoing], page: int, port: int) -> None:
    """Publish the same by nats-py, a page at once, each message awaiting its acknowledgement."""
    bus = await Bus.connect(f"nats://127.0.0.1:{port}", "floor")
    await bus.ensure_streams()
    stream = bus.client.jetstream()
    for start in range(0, len(told), 2 * page):
        part = told[start : start + 2 * page]
        await asyncio.gather(*[stream.publish(m.subject, m.body, headers=m.headers) for m in part])
    await bus.close()


async def _timed(folder: Path, work: Callable[[int], Awaitable[None]]) -> tuple[float, float]:
    """Return seconds of CPU that some work takes here and in a broker of its own."""
    port = free_port()
    nats = start_nats(folder / "nats", port)
    stat = Path(f"/proc/{nats.pid}/stat")
    try:
        here, there = process_time(), ticks(stat)
        await work(port)
        return process_time() - here, (ticks(stat) - there) / TICKS
    finally:
        nats.kill()
        nats.wait()
        shutil.rmtree(folder / "nats")


async def measure(folder: Path, runs: int, repayments: int) -> dict[int, list[Cost]]:
    """Measure each size of page in turns."""
    lent = await make_log(folder, repayments)
    told, found = messages(folder, lent), {page: list[Cost]() for page in PAGES}
    for run in range(runs):
        for page, costs in found.items():
            name = f"told-{run}-{page}"
            relay, broker = await _timed(
                folder, lambda port, n=name, p=page: relayed(folder, n, lent, p, port)
            )
            floor, _ = await _timed(folder, lambda port, p=page: published(told, p, port))
            costs.append(Cost(*(1e6 * part / repayments for part in (relay, broker, floor))))
    return found


def main(
    runs: Annotated[int, typer.Option(help="Runs of each size of page.")] = 5,
    repayments: Annotated[int, typer.Option(help="Told in one run.")] = 5_000,
) -> None:
    """Print microseconds of CPU per repayment told, by how many are told at once."""
    folder = Path(tempfile.mkdtemp(prefix="duebook-relaying-"))
    try:
        found = asyncio.run(measure(folder, runs, repayments))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table = Table("told at once", *Cost._fields, "relay over floor", title="µs of CPU, least-most")
    for page, costs in found.items():
        columns = [*zip(*costs, strict=True), [one.relay / one.floor for one in costs]]
        spread = [f"{min(column):,.1f}-{max(column):,.1f}" for column in columns]
        table.add_row(str(page), *spread)
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
