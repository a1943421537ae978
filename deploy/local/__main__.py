"""python -m deploy.local: run the suite here, with the sample book."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.local.applications import APPLIED_ON, take_all_in
from deploy.local.clients import Clients
from deploy.local.deeds import CollectionsBehind
from deploy.local.loading import Loading
from deploy.local.settings import (
    DataOfAnotherVersion,
    PortInUse,
    Settings,
    fetched_hledger,
    from_environment,
)
from deploy.local.suite import ROOT, ServiceNotReady, Suite
from deploy.local.summary import addresses, summary, until_quiet
from deploy.sample.book import ENDS_ON, STARTS_ON
from shared.kernel.dates import parse_date
from shared.runtime.nats_server import NatsNotReady

app = typer.Typer(add_completion=False, rich_markup_mode=None, help=from_environment.__doc__)
console = Console()


_CANNOT = (PortInUse, DataOfAnotherVersion, ServiceNotReady, NatsNotReady, CollectionsBehind)


@app.command()
def run() -> None:
    """Start everything, live the sample book, print the summary, stay up until Ctrl-C."""
    _with_suite(stay=True)


@app.command()
def demo() -> None:
    """The same, and exit after the summary."""
    _with_suite(stay=False)


@app.command()
def replay() -> None:
    """Replay the whole book from its events and compare it with the read models."""
    raise typer.Exit(_ledger("replay"))


@app.command()
def rebuild() -> None:
    """Build the read models again beside the live ones, compare every row, and switch."""
    raise typer.Exit(_ledger("rebuild"))


@app.command()
def recompute() -> None:
    """Let DuckDB, beancount and hledger recompute the whole book; a cent apart is red."""
    os.environ.setdefault("LEDGER_HLEDGER", fetched_hledger())
    raise typer.Exit(_ledger("recompute"))


def _ledger(word: str) -> int:
    """Run one of the ledger's commands on the local data; return its exit code."""
    environment = {**os.environ, **from_environment().environment("ledger")}
    command = [sys.executable, "-m", "services.ledger", word]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


@app.command()
def applications(
    folder: Annotated[Path, typer.Option(help="Where one loan's documents go.")] = Path(
        "build/documents"
    ),
    on: Annotated[str, typer.Option(help="Date of all; its policies decide.")] = str(APPLIED_ON),
) -> None:
    """Walk the 1,000 real applications on one day in a suite of its own; count states, reasons."""
    console.print(take_all_in(folder, parse_date(on, field="--on")))
    console.print(f"documents of one of them in {folder}")


def _with_suite(*, stay: bool) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    settings = from_environment()
    suite, started = Suite(settings), time.monotonic()
    try:
        suite.start()
        asyncio.run(_live(settings))
        console.print(addresses(settings))
        console.print(f"ready after {time.monotonic() - started:.0f} s; data in {settings.data}")
        if stay:
            _stay(suite)
    except _CANNOT as problem:
        console.print(f"cannot go on: {problem}", style="red")
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        console.print("stopping; the next run goes on from here")
    finally:
        suite.stop()


async def _live(settings: Settings) -> None:
    clients = Clients(settings)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("business date", total=(ENDS_ON - STARTS_ON).days + 1)
        await Loading(clients).run(
            lambda day: progress.update(
                bar, completed=(day - STARTS_ON).days + 1, description=f"business date {day}"
            )
        )
    await until_quiet(settings)
    console.print(await summary(clients))
    await clients.close()


def _stay(suite: Suite) -> None:
    console.print("Ctrl-C stops everything.")
    while True:
        time.sleep(1)
        for name in suite.revive():
            console.print(f"{name} died and was started again")


app()
