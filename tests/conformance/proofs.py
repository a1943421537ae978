"""The long proofs of the stream: `make stream`, or one of relay, middle, cluster."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.conformance.cluster import kill_leaders
from tests.conformance.middle import clean, meddle
from tests.conformance.relay_kills import kill_at
from tests.conformance.relay_process import POINTS

app = typer.Typer(no_args_is_help=True, help="Long proofs that nothing of the stream is lost.")
CONSOLE = Console(width=120)
EVENTS, LOANS, KILLS, CLUSTER_LOANS = 100_000, 10_000, 5, 400


@contextmanager
def _folder() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="duebook-stream-"))
    try:
        yield found
    finally:
        shutil.rmtree(found, ignore_errors=True)


@app.command()
def relay(
    times: Annotated[int, typer.Option(help="Kills at each point.")] = 20,
    seed: Annotated[int, typer.Option(help="Of the passings.")] = 1,
) -> None:
    """Kill the relay at each named point; hold the stream against a replay of the log."""
    table, bad = Table("killed", "kills", "events stored", "loans wrong"), 0
    for point in POINTS:
        with _folder() as folder:
            found = asyncio.run(kill_at(folder, [point] * times, seed, CONSOLE.log))
        table.add_row(point, str(found.kills), f"{found.events:,}", str(len(found.wrong)))
        bad += len(found.wrong) + (found.kills != times)
    CONSOLE.print(table)
    raise typer.Exit(1 if bad else 0)


@app.command()
def middle(
    events: Annotated[int, typer.Option(help="Clean events.")] = EVENTS,
    loans: Annotated[int, typer.Option(help="Loans meddled with, once each.")] = LOANS,
    seed: Annotated[int, typer.Option(help="Of the meddling.")] = 1,
) -> None:
    """Drop, change, forge, double, reorder; count what went unnoticed and the false alarms."""
    with _folder() as folder:
        told, alarms = asyncio.run(clean(folder, events, seed))
    with _folder() as folder:
        kinds, missed = asyncio.run(meddle(folder, loans, seed, CONSOLE.log))
    table = Table("what the man in the middle did", "loans", "unnoticed or not mended")
    for kind, count in sorted(kinds.items()):
        lost = sum(f" {kind}" in name for name in missed)
        table.add_row(kind, f"{count:,}", str(lost))
    CONSOLE.print(table)
    CONSOLE.print(f"{told:,} clean events: {alarms} false alarms")
    raise typer.Exit(1 if missed or alarms else 0)


@app.command()
def cluster(
    kills: Annotated[int, typer.Option(help="Leaders killed.")] = KILLS,
    loans: Annotated[int, typer.Option(help="Size of the book.")] = CLUSTER_LOANS,
    hang: Annotated[bool, typer.Option(help="Let each hang first: no connection breaks.")] = False,
) -> None:
    """Kill the leader of three servers under the relay's load."""
    with _folder() as folder:
        found = asyncio.run(kill_leaders(folder, kills, loans, CONSOLE.log, hang=hang))
    CONSOLE.print(
        f"{found.kills} leaders killed, {found.events:,} events, loans wrong: {len(found.wrong)};"
        f" seconds until another led: {_spread([one.elected for one in found.outages])};"
        f" until one was stored: {_spread([one.stored for one in found.outages])};"
        f" until one was heard: {_spread([one.heard for one in found.outages])}"
    )
    raise typer.Exit(1 if found.wrong else 0)


def _spread(seconds: list[float]) -> str:
    """Return the median of some outages, and each of them."""
    each = ", ".join(f"{one:.1f}" for one in sorted(seconds))
    return f"median {median(seconds):.1f} of {each}" if seconds else "none"


if __name__ == "__main__":
    app()
