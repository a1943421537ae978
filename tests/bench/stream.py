"""From a decision of the ledger to a subscriber's handler, at half of the peak: `make latency`."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Annotated, Any

import grpc
import typer
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from rich.console import Console
from rich.table import Table

from shared.runtime.bus import Bus
from shared.runtime.database import open_database
from shared.runtime.nats_server import start_nats
from shared.runtime.reading import Reader
from shared.runtime.records import Records, Work
from shared.runtime.streams import STREAM
from shared.subscriber.event import Event
from shared.subscriber.inbox import create_inbox
from shared.subscriber.subscriber import Subscriber
from tests.bench.measures import machine
from tests.bench.posting import open_book, rate, repayment
from tests.system.processes import ROOT, Service, free_port

app = typer.Typer()
CALLERS, QUIET_SECONDS, ROUND_TRIPS = 64, 3.0, 300


@app.command(hidden=True)
def listen(nats_url: str, database: str, target: str) -> None:
    """Write milliseconds from decision to broker and to handler, a line per event, until killed."""

    async def run() -> None:
        records = Records(open_database(f"sqlite+aiosqlite:///{database}"))
        await create_inbox(records.engine)
        with Path(target).open("a", buffering=1) as lines:

            async def hear(event: Event, _: Work) -> None:
                if event.type == "REPAYMENT_POSTED":
                    stored = event.message.stored_at - event.recorded_at
                    took = datetime.now(UTC) - event.recorded_at
                    lines.write(f"{_ms(stored)} {_ms(took)}\n")

            bus = await Bus.connect(nats_url, "latency")
            await Subscriber(bus, "latency", records.work, hear).run(asyncio.Event())

    asyncio.run(run())


def _ms(took: timedelta) -> str:
    return f"{took.total_seconds() * 1000:.3f}"


async def paced(stub: Any, per_second: float, seconds: float) -> int:
    """Post repayments at a rate, whether or not earlier ones were answered; return how many."""
    started, calls = perf_counter(), []
    while (gone := perf_counter() - started) < seconds:
        while len(calls) < gone * per_second:
            calls.append(asyncio.ensure_future(stub.PostRepayment(repayment())))
        await asyncio.sleep(0.002)
    await asyncio.gather(*calls)
    return len(calls)


async def quiet(file: Path) -> int:
    """Wait until nothing more is heard for some seconds; return how many events were."""
    before, now = -1, 0
    while now != before:
        await asyncio.sleep(QUIET_SECONDS)
        before, now = now, len(file.read_text().splitlines())
    return now


async def round_trips(url: str) -> list[float]:
    """Return milliseconds from an empty message's publishing to its reading, nothing of ours."""
    bus, found = await Bus.connect(url, "floor"), []
    start = await bus.last_sequence(STREAM) + 1
    reader = Reader(bus.client, STREAM, ["lending.v1.risk.floor"], next=start)
    for _ in range(ROUND_TRIPS):
        sent = perf_counter()
        await bus.publish("lending.v1.risk.floor", b"x" * 300, "", {})
        await reader.batch(1, 5.0)
        found.append((perf_counter() - sent) * 1000)
    await reader.close()
    await bus.close()
    return found


def _figures(took: list[float]) -> tuple[float, float]:
    return median(took), quantiles(took, n=100)[98]


async def _run(
    stub: Any, url: str, file: Path, seconds: float, per_second: float
) -> dict[str, float]:
    """One run: the peak, then half of it or a given rate, then the floor."""
    peak = await rate(stub, CALLERS, seconds)
    before = await quiet(file)
    posted = await paced(stub, per_second or peak / 2, seconds)
    await quiet(file)
    lines = [line.split() for line in file.read_text().splitlines()[before:]]
    floor = _figures(await round_trips(url))
    p50, p99 = _figures([float(took) for _, took in lines])
    stored = _figures([float(took) for took, _ in lines])
    return {
        "peak_per_second": peak,
        "posted": posted,
        "heard": len(lines),
        "stored_p50_ms": stored[0],
        "stored_p99_ms": stored[1],
        "p50_ms": p50,
        "p99_ms": p99,
        "floor_p50_ms": floor[0],
        "floor_p99_ms": floor[1],
    }


async def _measure(
    folder: Path, runs: int, seconds: float, per_second: float, console: Console
) -> list[Any]:
    port, nats_port = free_port(), free_port()
    url, file = f"nats://127.0.0.1:{nats_port}", folder / "took.txt"
    file.touch()
    nats = start_nats(folder / "nats", nats_port)
    environment = {
        "LEDGER_GRPC_PORT": str(port),
        "LEDGER_METRICS_PORT": "0",
        "LEDGER_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/ledger.db",
        "LEDGER_NATS_URL": url,
    }
    ledger = Service("ledger", port, environment, folder / "ledger.log")
    ledger.start()
    words = [sys.executable, "-m", "tests.bench.stream", "listen"]
    words += [url, f"{folder}/subscriber.db", str(file)]
    listener = subprocess.Popen(words, cwd=ROOT)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = LedgerServiceStub(channel)
            await open_book(stub)
            await quiet(file)
            found = []
            for run in range(runs):
                console.log(f"run {run + 1} of {runs}")
                found.append(await _run(stub, url, file, seconds, per_second))
            return found
    finally:
        ledger.stop()
        for process in (listener, nats):
            process.kill()
            process.wait()


@app.command()
def measure(
    runs: Annotated[int, typer.Option(help="Runs; each measures its own peak.")] = 5,
    seconds: Annotated[float, typer.Option(help="Of load per run, and of its peak.")] = 6.0,
    per_second: Annotated[float, typer.Option(help="Of load; 0 for half of the peak.")] = 0.0,
) -> None:
    """Print p50 and p99 per run with the broker's own round trip; write build/latency.json."""
    console, folder = Console(width=120), Path(tempfile.mkdtemp(prefix="duebook-latency-"))
    try:
        found = asyncio.run(_measure(folder, runs, seconds, per_second, console))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table = Table(*found[0], title="decision to broker, and to handler")
    for one in found:
        table.add_row(*[f"{value:,.1f}" for value in one.values()])
    console.print(table)
    target = ROOT / "build" / "latency.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"machine": machine(), "runs": found}, indent=2) + "\n")
    raise typer.Exit(1 if any(one["heard"] != one["posted"] for one in found) else 0)


if __name__ == "__main__":
    app()
