"""
What sealing costs the writer: one writer, one sealer, many short turns beside it and without.

What was posted while the sealer was paused is sealed before the next turn begins, so that a turn
beside it pays for its own events alone. The two turns of a pair come in a drawn order, and are
compared with each other: what the machine does meanwhile drifts slower than they take.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from statistics import fmean, median
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
RESAMPLES, SEED, COST_MAX = 10_000, 6, 0.03


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
    """Seal the log as the ledger's follower does, between a line `go` and a line `pause`."""
    os.nice(NICE)
    store = open_event_store(f"sqlite+aiosqlite:///{folder}/ledger.db")
    models = ReadModels(open_database(f"sqlite+aiosqlite:///{folder}/read.db"))
    await models.create()
    signer = load_signer("duebook.bench/ledger", folder / "signing.key")
    sealer = Sealer(store, Seals(models.engine), signer, lambda: datetime.now(UTC))
    while await asyncio.to_thread(sys.stdin.readline) == "go\n":
        stop = asyncio.Event()
        running = asyncio.create_task(sealer.run(stop))
        await asyncio.to_thread(sys.stdin.readline)
        stop.set()
        await running
        while await sealer.step():
            pass
        print(sealer.position, flush=True)
    store.close()
    await models.engine.dispose()


class Sealing:
    """The sealer's process, paused at first; after a pause everything is sealed."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.bench.sealing_cost", "--seal", str(folder)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def say(self, word: str) -> None:
        """Tell it to go on or to pause."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    async def pause(self) -> int:
        """Return the position up to which it has sealed, once that is all."""
        assert self.process.stdout is not None
        self.say("pause")
        return int(await asyncio.to_thread(self.process.stdout.readline))


async def measured(folder: Path, pairs: int, seconds: float, console: Console) -> dict[str, object]:
    """Take turns with and without a sealer, each pair in a drawn order."""
    store = open_event_store(f"sqlite+aiosqlite:///{folder}/ledger.db")
    writer, sealing, drawn = Writer(store), Sealing(folder), Random(SEED)
    stop = asyncio.Event()
    running = asyncio.create_task(writer.run(stop))
    writer.business_on = TERMS_ON
    desk = Desk(writer)
    await desk.lend()
    turns: dict[bool, list[Turn]] = {False: [], True: []}
    for pair in range(pairs + 1):
        for beside in drawn.sample((False, True), 2):
            turns[beside].append(await _turn(desk, sealing, seconds, beside=beside))
            assert await _sealed(sealing, beside=beside) == store.last_position()
        if pair % 20 == 0:
            console.log(f"{pair} of {pairs} pairs")
    sealing.process.communicate("")
    stop.set()
    await running
    store.close()
    return _found(turns[False][1:], turns[True][1:])


async def _turn(desk: Desk, sealing: Sealing, seconds: float, *, beside: bool) -> Turn:
    if beside:
        sealing.say("go")
    return await desk.turn(seconds)


async def _sealed(sealing: Sealing, *, beside: bool) -> int:
    """Let everything be sealed that was posted; return up to where."""
    if not beside:
        sealing.say("go")
    return await sealing.pause()


def _found(without: Sequence[Turn], beside: Sequence[Turn]) -> dict[str, object]:
    work = [b.work / w.work - 1 for b, w in zip(beside, without, strict=True)]
    slower = [1 - b.rate / w.rate for b, w in zip(beside, without, strict=True)]
    return {
        "repayments_per_second_without": round(median(t.rate for t in without)),
        "repayments_per_second_beside": round(median(t.rate for t in beside)),
        "writer_cpu_us_without": round(median(t.work for t in without), 1),
        "writer_cpu_us_beside": round(median(t.work for t in beside), 1),
        **_shares("writers_work_more", work),
        **_shares("slower", slower),
        "pairs": len(work),
        "cost_max": COST_MAX,
        "machine": machine(),
    }


def _shares(name: str, found: Sequence[float]) -> dict[str, str]:
    """Return the median and the trimmed mean of some differences, each with its interval."""
    ways: dict[str, Callable[[Sequence[float]], float]] = {"median": median, "mean": trimmed}
    return {f"{name}_{way}": _said(interval(found, of), of(found)) for way, of in ways.items()}


def _said(bounds: tuple[float, float], value: float) -> str:
    return f"{value:+.2%} (95 % {bounds[0]:+.2%} to {bounds[1]:+.2%})"


def trimmed(found: Sequence[float]) -> float:
    """Return the mean without the lowest and the highest tenth."""
    cut = len(found) // 10
    return fmean(sorted(found)[cut : len(found) - cut])


def interval(found: Sequence[float], of: Callable[[Sequence[float]], float]) -> tuple[float, float]:
    """Return the 95 % interval of a figure: the same figure of what is drawn again, percentiles."""
    drawn = Random(SEED)
    again = sorted(of(drawn.choices(found, k=len(found))) for _ in range(RESAMPLES))
    return again[RESAMPLES * 25 // 1000], again[RESAMPLES * 975 // 1000]


def main(
    pairs: Annotated[int, typer.Option(help="Pairs of turns.")] = 200,
    seconds: Annotated[float, typer.Option(help="Of each turn.")] = 0.5,
    seal_: Annotated[Path | None, typer.Option("--seal", hidden=True)] = None,
) -> None:
    """Measure a writer on SQLite with and without a sealer beside it, into build/sealing.json."""
    if seal_ is not None:
        asyncio.run(seal(seal_))
        return
    console = Console()
    with tempfile.TemporaryDirectory(prefix="duebook-sealing-") as folder:
        found = asyncio.run(measured(Path(folder), pairs, seconds, console))
    for name, value in found.items():
        console.print(f"{name:30} {value}")
    (ROOT / "build" / "sealing.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    typer.run(main)
