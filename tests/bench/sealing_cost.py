"""What sealing costs the writer: the same writer beside a sealer and without, turn by turn."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Annotated, NamedTuple

import typer
from rich.console import Console

from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.read_models import ReadModels
from services.ledger.adapters.seals import Seals
from services.ledger.application.posting import Writer
from services.ledger.application.sealing import Sealer
from services.ledger.compose_follow import NICE
from services.ledger.domain import commands as cmd
from shared.audit.checkpoints import load_signer
from shared.runtime.database import open_database
from tests.bench.measures import machine
from tests.services.ledger.domain.desk import TERMS
from tests.system.processes import ROOT

LOANS, CALLERS = 500, 64


class Turn(NamedTuple):
    """Repayments a second, and the writer's own work for one, CPU microseconds."""

    rate: float
    work: float


class Desk:
    """A writer with many callers who wait for each answer."""

    def __init__(self, writer: Writer) -> None:
        self.writer, self.count = writer, 0

    async def ask(self, kind: type[cmd.Asked], loan: int, **asked: object) -> None:
        """Ask for one thing, durable when it returns."""
        self.count += 1
        head = {"loan_id": f"L-{loan}", "request_id": f"r-{self.count}", "business_on": None}
        command = kind(**head, recorded_at=datetime.now(UTC), **asked)
        await self.writer.ask(command, f"hash-{self.count}")

    async def lend(self) -> None:
        """Pay out every loan."""
        for loan in range(LOANS):
            await self.ask(cmd.OpenLoan, loan, borrower_ref="B", product="p", terms=TERMS)
            paid = {"value_on": TERMS_ON, "amount_minor": TERMS.principal_minor}
            await self.ask(cmd.DisburseLoan, loan, currency="CNY", **paid)

    async def turn(self, seconds: float) -> Turn:
        """Post repayments of a cent for some seconds."""
        began, worked, before = perf_counter(), process_time(), self.count
        until = began + seconds

        async def caller() -> None:
            while perf_counter() < until:
                paid = {"value_on": TERMS_ON, "amount_minor": 1, "currency": "CNY"}
                await self.ask(cmd.PostRepayment, self.count % LOANS, **paid)

        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        done = self.count - before
        return Turn(done / (perf_counter() - began), 1e6 * (process_time() - worked) / done)


TERMS_ON = date(2026, 1, 5)


async def seal(folder: Path) -> None:
    """Seal the log as the ledger's follower does, until standard input closes."""
    os.nice(NICE)
    store = open_event_store(f"sqlite+aiosqlite:///{folder}/ledger.db")
    models = ReadModels(open_database(f"sqlite+aiosqlite:///{folder}/read.db"))
    await models.create()
    signer = load_signer("duebook.bench/ledger", folder / "signing.key")
    sealer = Sealer(store, Seals(models.engine), signer, lambda: datetime.now(UTC))
    stop = asyncio.Event()
    running = asyncio.create_task(sealer.run(stop))
    await asyncio.sleep(0.1)
    while sealer.position < store.last_position():
        await asyncio.sleep(0.05)
    print("caught up", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    stop.set()
    await running
    print(sealer.size, process_time(), flush=True)
    store.close()
    await models.engine.dispose()


async def measured(folder: Path, turns: int, seconds: float, console: Console) -> dict[str, object]:
    """Take turns with and without a sealer, each pair in another order."""
    store = open_event_store(f"sqlite+aiosqlite:///{folder}/ledger.db")
    writer = Writer(store)
    stop = asyncio.Event()
    running = asyncio.create_task(writer.run(stop))
    writer.business_on = TERMS_ON
    desk = Desk(writer)
    await desk.lend()
    await desk.turn(seconds)
    without: list[Turn] = []
    beside: list[Turn] = []
    for pair in range(turns):
        for sealing in (False, True) if pair % 2 else (True, False):
            (beside if sealing else without).append(
                await _beside(folder, desk, seconds) if sealing else await desk.turn(seconds)
            )
        console.log(f"pair {pair + 1}: {beside[-1].work / without[-1].work:.3f} x the work")
    stop.set()
    await running
    store.close()
    work = [b.work / w.work for b, w in zip(beside, without, strict=True)]
    rate = [b.rate / w.rate for b, w in zip(beside, without, strict=True)]
    return {
        "repayments_per_second_without": round(median(t.rate for t in without)),
        "repayments_per_second_beside": round(median(t.rate for t in beside)),
        "rate_ratio": _spread(rate),
        "writer_cpu_us_without": round(median(t.work for t in without), 1),
        "writer_cpu_us_beside": round(median(t.work for t in beside), 1),
        "work_ratio": _spread(work),
        "machine": machine(),
    }


def _spread(ratios: list[float]) -> str:
    low, middle, high = quantiles(ratios, n=4)
    return f"{middle:.3f} (half of {len(ratios)} pairs {low:.3f} to {high:.3f})"


async def _beside(folder: Path, desk: Desk, seconds: float) -> Turn:
    """Take a turn while another process seals what is posted."""
    command = [sys.executable, "-m", "tests.bench.sealing_cost", "--seal", str(folder)]
    sealer = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert sealer.stdout is not None
    assert await asyncio.to_thread(sealer.stdout.readline) == "caught up\n"
    turn = await desk.turn(seconds)
    await asyncio.to_thread(sealer.communicate, "")
    return turn


def main(
    turns: Annotated[int, typer.Option(help="Pairs of turns.")] = 10,
    seconds: Annotated[float, typer.Option(help="Of each turn.")] = 3.0,
    seal_: Annotated[Path | None, typer.Option("--seal", hidden=True)] = None,
) -> None:
    """Measure a writer on SQLite with and without a sealer beside it, into build/sealing.json."""
    if seal_ is not None:
        asyncio.run(seal(seal_))
        return
    console = Console()
    with tempfile.TemporaryDirectory(prefix="duebook-sealing-") as folder:
        found = asyncio.run(measured(Path(folder), turns, seconds, console))
    for name, value in found.items():
        console.print(f"{name:30} {value}")
    (ROOT / "build" / "sealing.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    typer.run(main)
