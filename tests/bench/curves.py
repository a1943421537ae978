"""Cost curves: what a repayment, a day and a book cost as they grow: `make curves`."""

from __future__ import annotations

import asyncio
import csv
import shutil
import tempfile
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import process_time
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from services.ledger.domain.kept import KEEPER
from shared.kernel.dates import add_months
from tests.bench import posting
from tests.bench.books import measure_book
from tests.bench.inside import LONG, repay_on, two_years
from tests.bench.measures import machine
from tests.bench.plots import Curve, draw
from tests.bench.replays import lived_book, seconds_of
from tests.services.ledger.domain.desk import Desk
from tests.system.processes import ROOT

FIGURES = ROOT / "tests" / "bench" / "figures"
RUNS, TIMED = 5, 40


def _spread(once: Callable[[], float]) -> tuple[float, float, float]:
    """Return median, least and most seconds over the runs."""
    found = [once() for _ in range(RUNS)]
    return median(found), min(found), max(found)


def repayments() -> Curve:
    """Return what one repayment costs after so many before it, in a loan of 24 months."""
    curve, desk = (
        Curve("repayment_by_repayments", "repayments before", "one repayment, µs of CPU"),
        Desk(LONG),
    )
    for count in (10, 30, 100, 300, 1_000, 3_000, 5_000):
        while len(desk.account.facts) < count:
            desk.repay("0.01")
        curve.add(count, *(1e6 * s for s in _spread(lambda: repay_on(desk, desk.on, TIMED))))
    return curve


def instalments() -> Curve:
    """Return what one repayment costs in a loan of so many instalments."""
    curve = Curve("repayment_by_instalments", "instalments", "one repayment, µs of CPU")
    for count in (12, 24, 60, 120, 240, 360):
        desk = Desk(msgspec.structs.replace(LONG, instalments=count))
        curve.add(
            count, *(1e6 * s for s in _spread(lambda desk=desk: repay_on(desk, desk.on, TIMED)))
        )
    return curve


def long_loans() -> list[Curve]:
    """Return what a look, and a repayment 700 days back, cost in a loan of so many instalments."""
    look = Curve("read_by_instalments", "instalments", "one look, µs of CPU")
    back = Curve(
        "backdated_by_instalments", "instalments", "one repayment 700 days back, µs of CPU"
    )
    for count in (24, 36, 60, 120, 240, 360):
        desk = two_years(count)
        look.add(count, *(1e6 * s for s in _spread(lambda desk=desk: _look(desk))))
        desks = [two_years(count) for _ in range(RUNS)]
        back.add(count, *(1e6 * s for s in _spread(lambda desks=desks: _backdated(desks.pop()))))
    return [look, back]


def _backdated(desk: Desk) -> float:
    return repay_on(desk, desk.on - timedelta(days=700), TIMED // 4)


def replaying(sizes: Iterable[int], folder: Path, say: Callable[[str], None]) -> list[Curve]:
    """Return at what rate an audit replays logs of books of several sizes, by one and two cores."""
    across, up = "events in the log", "an audit's replay, events per second"
    curves = [Curve("replay_by_log", across, up), Curve("replay_by_log_two_cores", across, up)]
    for loans in sizes:
        say(f"replaying a book of {loans:,} loans")
        url = asyncio.run(lived_book(folder / str(loans), loans))
        for processes, curve in enumerate(curves, start=1):
            found = [seconds_of(url, processes) for _ in range(RUNS if loans <= 1_000 else 3)]
            rates = [replayed.events / seconds for seconds, replayed in found]
            curve.add(found[0][1].events, median(rates), min(rates), max(rates))
    return curves


async def callers(counts: Iterable[int], folder: Path, seconds: float) -> Curve:
    """Return how many repayments a served ledger posts a second for so many callers."""
    curve = Curve("posts_by_callers", "callers, each waiting for its answer", "repayments/s")
    folder.mkdir(parents=True)
    async with posting.serving(f"sqlite+aiosqlite:///{folder}/ledger.db", folder) as stub:
        await posting.open_book(stub)
        for count in counts:
            rates = [await posting.rate(stub, count, seconds) for _ in range(RUNS)]
            curve.add(count, median(rates), min(rates), max(rates))
    return curve


def backdating() -> Curve:
    """Return what a repayment costs that counts so many days back, in a loan 701 days old."""
    curve = Curve("repayment_by_days_back", "days back", "one repayment, µs of CPU")
    for days in (0, 10, 30, 100, 200, 400, 700):
        desks = [two_years() for _ in range(RUNS)]
        on = desks[0].on - timedelta(days=days)
        curve.add(
            days,
            *(
                1e6 * s
                for s in _spread(lambda desks=desks, on=on: repay_on(desks.pop(), on, TIMED))
            ),
        )
    return curve


def reading() -> Curve:
    """Return what it costs to look at a loan of so many months that is read from its events."""
    curve = Curve("read_by_age", "months of life", "one look, µs of CPU")
    desk = Desk(LONG)
    for month in range(24):
        if month in (0, 3, 6, 12, 18, 23):
            curve.add(month, *(1e6 * s for s in _spread(lambda: _look(desk))))
        desk.go_to(add_months(desk.account.terms.first_due_on, month))
        desk.repay("560.00") if month < 23 else None
    return curve


def _look(desk: Desk) -> float:
    """Return the seconds of CPU of one timeline from nothing kept."""
    started = process_time()
    for _ in range(TIMED):
        KEEPER.lines.clear()
        desk.account.timeline(desk.on)
    return (process_time() - started) / TIMED


def books(
    sizes: Iterable[int], changes: int, folder: Path, say: Callable[[str], None]
) -> list[Curve]:
    """Return what books of several sizes cost; the same number of changes in each."""
    ageing = Curve("day_by_book", "loans in the book", f"closing a day, {changes} changes, ms")
    posting = Curve(
        "posts_by_book", "loans in the book", "batch of 5,000 into random loans, per second"
    )
    memory = Curve("memory_by_book", "loans in the book", "resident memory at most, MiB")
    for size in sizes:
        say(f"a book of {size:,} loans")
        runs = RUNS if size <= 10_000 else 1
        found = [measure_book(folder / f"{size}-{k}", size, changes) for k in range(runs)]
        shutil.rmtree(folder)
        for curve, name, unit in (
            (ageing, "ageing_seconds", 1e3),
            (posting, "posts_per_second", 1.0),
            (memory, "resident_bytes_max", 1 / (1 << 20)),
        ):
            values = [one[name] * unit for one in found]
            curve.add(size, median(values), min(values), max(values))
    return [ageing, posting, memory]


def changes(loans: int, counts: Iterable[int], folder: Path, say: Callable[[str], None]) -> Curve:
    """Return what closing a day costs when so many loans of one book change."""
    curve = Curve("day_by_changes", "loans that change", f"closing a day of {loans:,} loans, ms")
    for count in counts:
        say(f"{count:,} changes in a book of {loans:,} loans")
        found = [measure_book(folder / f"{count}-{k}", loans, count) for k in range(3)]
        shutil.rmtree(folder)
        values = [1e3 * one["ageing_seconds"] for one in found]
        curve.add(count, median(values), min(values), max(values))
    return curve


def _of_books(largest: int, quick: bool, folder: Path, console: Console) -> list[Curve]:
    """Return what callers, audits and, unless it is to be quick, whole books cost."""
    console.log("repayments by callers")
    counts = (1, 4, 16, 64, 256)
    curves = [asyncio.run(callers(counts, folder / "callers", 1.0 if quick else 4.0))]
    logs = (10, 100, 1_000) if quick else (10, 100, 1_000, 10_000)
    curves += replaying(logs, folder / "logs", console.log)
    sizes = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
    if not quick:
        few = [n for n in sizes if n <= largest]
        curves += books(few, 100, folder / "books", console.log)
        counts = (10, 30, 100, 300, 1_000, 3_000, 10_000)
        curves.append(changes(10_000, counts, folder / "changes", console.log))
    return curves


def main(
    largest: Annotated[int, typer.Option(help="Loans of the largest book.")] = 100_000,
    quick: Annotated[bool, typer.Option(help="Without the books.")] = False,
    one_loan: Annotated[bool, typer.Option(help="Only what one loan costs: CPU alone.")] = False,
) -> None:
    """Write one CSV and one SVG per curve, and print them."""
    console = Console(width=120)
    folder = Path(tempfile.mkdtemp(prefix="duebook-curves-"))
    curves = [repayments(), instalments(), backdating(), reading(), *long_loans()]
    try:
        if not one_loan:
            curves += _of_books(largest, quick, folder, console)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    FIGURES.mkdir(exist_ok=True)
    for curve in curves:
        _write(curve)
        table = Table(curve.across, curve.up, "least", "most", title=curve.name)
        for row in curve.rows:
            table.add_row(f"{row[0]:,}", *[f"{value:,.4g}" for value in row[1:]])
        console.print(table)
    console.print(f"written to {FIGURES.relative_to(ROOT)}; {machine()}")


def _write(curve: Curve) -> None:
    with (FIGURES / f"{curve.name}.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow([curve.across, curve.up, "least", "most"])
        lines.writerows([row[0], *(f"{value:.4g}" for value in row[1:])] for row in curve.rows)
    (FIGURES / f"{curve.name}.svg").write_text(draw(curve, machine()))


if __name__ == "__main__":
    typer.run(main)
