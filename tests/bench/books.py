"""A whole book in one process: load it, follow it, close a day, post into it; with its memory."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter, process_time, thread_time
from typing import Annotated, Any

import msgspec
import typer

from services.ledger.application.asks import Ask
from services.ledger.application.reading import see_loan
from services.ledger.domain import commands as cmd
from shared.runtime.collector import collect_seldom
from tests.bench.inside import LONG
from tests.services.ledger.book import Book, open_book
from tests.system.processes import ROOT

STARTS_ON, DUE_ON = date(2026, 1, 5), date(2026, 2, 5)
CHANGING = msgspec.structs.replace(LONG, first_due_on=DUE_ON)
QUIET = msgspec.structs.replace(LONG, first_due_on=date(2026, 2, 20))
PART, POSTS, READS = 2_500, 5_000, 200
SAY_SECONDS = 15.0


class Progress:
    """Says on standard error how far something has come, at what rate, and what is left."""

    def __init__(self, what: str, of: int) -> None:
        self.what, self.of = what, of
        self.began = self.said = perf_counter()

    def at(self, done: int) -> None:
        """Say it every few seconds."""
        now = perf_counter()
        if now - self.said < SAY_SECONDS:
            return
        self.said = now
        rate = done / (now - self.began)
        left = (self.of - done) / rate if rate else 0.0
        line = f"{self.what}: {done:,} of {self.of:,}, {rate:,.0f}/s, {left:,.0f} s left"
        print(line, file=sys.stderr, flush=True)


class LogCost:
    """The seconds of CPU that a log takes for reading loans and for storing events."""

    def __init__(self, log: Any) -> None:
        self.spent = {"read": 0.0, "store": 0.0}
        self._time(log.recorder, "select_streams", "read")
        self._time(log.recorder, "append", "store")

    def _time(self, recorder: Any, name: str, kind: str) -> None:
        call = getattr(recorder, name)

        def timed(*given: Any, **named: Any) -> Any:
            started = thread_time()
            try:
                return call(*given, **named)
            finally:
                self.spent[kind] += thread_time() - started

        setattr(recorder, name, timed)


def _files() -> dict[str, int]:
    """Return what this process read and wrote so far: bytes, and by how many calls."""
    lines = Path("/proc/self/io").read_text().splitlines()
    found = {name: int(value) for name, value in (line.split(": ") for line in lines)}
    return {
        "read_bytes": found["rchar"],
        "read_calls": found["syscr"],
        "written_bytes": found["wchar"],
        "written_calls": found["syscw"],
    }


def _resident_most() -> int:
    """Return the most memory this process had, in bytes; rusage would begin at its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith("VmHWM:"))
    return int(found.split()[1]) * 1024


def measure_book(folder: Path, loans: int, changes: int) -> dict[str, Any]:
    """
    Measure a book in a process of its own, so that its memory is its own.

    Args:
        folder: Where its files go.
        loans: How many it has.
        changes: How many of them change on the day that is closed.
    Returns:
        Figures by name; seconds, rates per second, bytes.
    """
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "tests.bench.books", str(folder), str(loans), str(changes)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def load(book: Book, loans: int, changes: int) -> None:
    """Open loans, no two alike, and pay them out, many per commit, each with its requests."""
    now, progress = datetime.now(UTC), Progress("loans loaded", loans)
    for first in range(0, loans, PART):
        asks = []
        for k in range(first, min(loans, first + PART)):
            kind = CHANGING if k * changes // loans != (k + 1) * changes // loans else QUIET
            terms = msgspec.structs.replace(kind, principal_minor=kind.principal_minor + k)
            loan = {"loan_id": f"L-{k:07}", "recorded_at": now, "business_on": None}
            opened = {"borrower_ref": f"B-{k:07}", "product": "p", "terms": terms}
            paid = {"value_on": STARTS_ON, "amount_minor": terms.principal_minor}
            asks += [
                Ask(cmd.OpenLoan(request_id=f"open-{k}", **loan, **opened), f"o{k}"),
                Ask(
                    cmd.DisburseLoan(request_id=f"out-{k}", currency="CNY", **loan, **paid), f"p{k}"
                ),
            ]
        await book.writer.ask_all(asks)
        assert not any(isinstance(ask.outcome, Exception) for ask in asks)
        progress.at(first)


async def _followed(book: Book) -> None:
    """Wait until the read models have everything, however long it takes."""
    wanted = book.writer.log.last_position()
    progress = Progress("events followed", wanted)
    while (position := await book.models.position("read-models")) < wanted:
        progress.at(position)
        book.writer.on_commit()
        await asyncio.sleep(0.05)


async def _post(book: Book, loans: int) -> float:
    """Return repayments per second of one batch into loans chosen at random."""
    chance, now = random.Random(1), datetime.now(UTC)
    asks = [
        Ask(
            cmd.PostRepayment(
                loan_id=f"L-{chance.randrange(loans):07}",
                request_id=f"pay-{k}",
                recorded_at=now,
                business_on=None,
                value_on=DUE_ON,
                amount_minor=100,
                currency="CNY",
            ),
            f"h{k}",
        )
        for k in range(POSTS)
    ]
    started = perf_counter()
    await book.writer.ask_all(asks)
    seconds = perf_counter() - started
    assert not any(isinstance(ask.outcome, Exception) for ask in asks)
    return POSTS / seconds


def _read(book: Book, loans: int) -> float:
    """Return the mean seconds of looking at a loan chosen at random."""
    chance = random.Random(2)
    started = perf_counter()
    for _ in range(READS):
        see_loan(book.writer.log, f"L-{chance.randrange(loans):07}", DUE_ON)
    return (perf_counter() - started) / READS


async def _measure(folder: Path, loans: int, changes: int) -> dict[str, Any]:
    found: dict[str, Any] = {"loans": loans, "changes": changes}
    async with open_book(folder) as book:
        collect_seldom()
        await book.go_to(STARTS_ON)
        started = perf_counter()
        await load(book, loans, changes)
        found["load_seconds"] = perf_counter() - started
        await _followed(book)
        found["load_and_follow_seconds"] = perf_counter() - started
        log = LogCost(book.writer.log)
        started, spent, before = perf_counter(), process_time(), _files()
        closed = await book.ageing.advance(DUE_ON, "day-2", datetime.now(UTC))
        found["ageing_seconds"] = perf_counter() - started
        found["ageing_cpu_seconds"] = process_time() - spent
        await _followed(book)
        found |= {f"ageing_{name}": _files()[name] - before[name] for name in before}
        found |= {f"ageing_log_{name}_cpu_seconds": spent for name, spent in log.spent.items()}
        assert closed.loans_changed == changes
        found["posts_per_second"] = await _post(book, loans)
        found["read_seconds"] = _read(book, loans)
        await _followed(book)
    found["log_bytes"] = (folder / "ledger.db").stat().st_size
    found["read_model_bytes"] = (folder / "ledger-read.db").stat().st_size
    found["resident_bytes_max"] = _resident_most()
    return found


def main(
    folder: Annotated[Path, typer.Argument(help="Where its files go.")],
    loans: Annotated[int, typer.Argument(help="How many loans.")],
    changes: Annotated[int, typer.Argument(help="How many change on the day that is closed.")],
) -> None:
    """Measure one book and print its figures as JSON."""
    print(json.dumps(asyncio.run(_measure(folder, loans, changes))))


if __name__ == "__main__":
    typer.run(main)
