"""Where one repayment's processor time goes, by thread and process: `make cpu`."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import grpc
import typer
from lending.ledger.v1 import loan_pb2
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from rich.console import Console
from rich.table import Table

from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.read_models import ReadModels
from shared.runtime.database import open_database
from shared.runtime.postgres_server import start_postgres
from tests.bench.posting import open_book, repayment
from tests.system.one_ledger import Ledger, ledger_on
from tests.system.processes import ROOT, free_port

CALLERS = 64
TICKS = os.sysconf("SC_CLK_TCK")
VIEWS = (("with the schedule", loan_pb2.LOAN_VIEW_FULL), ("basic view", loan_pb2.LOAN_VIEW_BASIC))


def main(
    calls: Annotated[int, typer.Option(help="Repayments of one run.")] = 10_000,
    runs: Annotated[int, typer.Option(help="Runs of each view and store.")] = 3,
) -> None:
    """Print microseconds of CPU per repayment, of the run that took least."""
    console = Console(width=120)
    folder = Path(tempfile.mkdtemp(prefix="duebook-cpu-"))
    table = Table(
        "µs of CPU per repayment", "loop", "other threads", "followers", "database", "all"
    )
    try:
        table.add_row("empty echo", *_figures(asyncio.run(_echo(calls, runs)), calls))
        (folder / "sqlite").mkdir()
        url = f"sqlite+aiosqlite:///{folder}/sqlite/ledger.db"
        asyncio.run(_store("SQLite", url, folder / "sqlite", calls, runs, table, 0))
        server = start_postgres(folder / "cluster", free_port())
        try:
            asyncio.run(_create(server.url()))
            (folder / "postgresql").mkdir()
            place, url = folder / "postgresql", server.url("cpu")
            pid = server.process.pid
            asyncio.run(_store("PostgreSQL", url, place, calls, runs, table, pid))
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    console.print(table)


async def _create(url: str) -> None:
    server = await asyncpg.connect(url.replace("+asyncpg", ""))
    await server.execute("CREATE DATABASE cpu")
    await server.close()


async def _store(
    name: str, url: str, folder: Path, calls: int, runs: int, table: Table, database: int
) -> None:
    """Measure one store in all views; the followers are waited for before the clocks are read."""
    with ledger_on(url, folder) as ledger:
        async with ledger.channel() as channel:
            stub = LedgerServiceStub(channel)
            await open_book(stub)
            await _followed(ledger)
            for view_name, view in VIEWS:
                found = [await _run(ledger, stub, calls, view, database) for _ in range(runs)]
                table.add_row(f"{name}, {view_name}", *_figures(found, calls))


async def _echo(calls: int, runs: int) -> list[list[float]]:
    """Measure a server that answers with nothing in it."""
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "tests.bench.floors", str(port)], cwd=ROOT)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await channel.channel_ready()
            stub, found = LedgerServiceStub(channel), []
            for _ in range(runs):
                before = _seconds(server.pid, 0)
                await _load(stub, calls, loan_pb2.LOAN_VIEW_FULL)
                found.append(_since(before, _seconds(server.pid, 0)))
            return found
    finally:
        server.kill()
        server.wait()


async def _run(ledger: Ledger, stub: Any, calls: int, view: int, database: int) -> list[float]:
    assert ledger.service.process is not None
    pid = ledger.service.process.pid
    before = _seconds(pid, database)
    await _load(stub, calls, view)
    await _followed(ledger)
    return _since(before, _seconds(pid, database))


async def _load(stub: Any, calls: int, view: int) -> None:
    left = itertools.repeat(None, calls)

    async def caller() -> None:
        for _ in left:
            await stub.PostRepayment(repayment(view))

    await asyncio.gather(*[caller() for _ in range(CALLERS)])


def _since(before: list[float], after: list[float]) -> list[float]:
    return [b - a for a, b in zip(before, after, strict=True)]


def _figures(found: list[list[float]], calls: int) -> list[str]:
    """Return the least of the runs: what others do on the machine only ever adds."""
    parts = min(found, key=sum)
    return [f"{1e6 * part / calls:,.0f}" for part in (*parts, sum(parts))]


async def _followed(ledger: Ledger) -> None:
    """Wait until read models, seals and stream have everything."""
    store = open_event_store(ledger.url)
    wanted = store.last_position()
    store.close()
    url = ledger.url if ledger.url.startswith("postgres") else ledger.url.replace(".db", "-read.db")
    models = ReadModels(open_database(url))
    for follower in ("read-models", "relay"):
        while await models.position(follower) < wanted:
            await asyncio.sleep(0.1)
    await models.engine.dispose()


def _seconds(pid: int, database: int) -> list[float]:
    """Return seconds of CPU so far: the server's loop, its other threads, children, database."""
    threads = Counter[str]()
    for task in Path(f"/proc/{pid}/task").iterdir():
        threads["loop" if task.name == str(pid) else "others"] += ticks(task / "stat")
    followers = sum(ticks(Path(f"/proc/{child}/stat")) for child in _children(pid))
    base = sum(ticks(Path(f"/proc/{one}/stat"), dead=True) for one in [database] if one)
    base += sum(ticks(Path(f"/proc/{child}/stat")) for child in _children(database))
    return [n / TICKS for n in (threads["loop"], threads["others"], followers, base)]


def ticks(stat: Path, *, dead: bool = False) -> int:
    """Return user and system ticks of a thread or process; if asked, of its ended children too."""
    try:
        figures = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return sum(int(n) for n in figures[11 : 15 if dead else 13])


def _children(pid: int) -> list[str]:
    if not pid:
        return []
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


if __name__ == "__main__":
    typer.run(main)
