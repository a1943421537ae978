"""Kill the ledger 200 times per store and cut it off 50 times: `make durable`."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, NamedTuple

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from shared.runtime.postgres_server import Postgres, start_postgres
from tests.simulation.door import Moment, a_door
from tests.simulation.durability import Tally, commit_cuts, cuts, kills
from tests.system.one_ledger import ledger_on
from tests.system.processes import free_port

Say = Callable[[str], None]
HEAD = ("what", "asked", "answered", "lost", "doubled", "half-written", "other", "seconds")


class Run(NamedTuple):
    """What is done to a ledger on a store of its own."""

    name: str
    url: str
    work: Callable[[str, Path, Say], Tally]


def main(
    times: Annotated[int, typer.Option(help="Kills per store.")] = 200,
    cut: Annotated[int, typer.Option(help="Cuts of PostgreSQL's connections.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the random moments.")] = 1,
    only: Annotated[str, typer.Option(help="Only runs whose name has this: SQLite, cuts.")] = "",
) -> None:
    """Print a table; exit 1 if anything was lost, doubled or half-written."""
    console, table, bad = Console(width=120), Table(*HEAD), 0
    folder = Path(tempfile.mkdtemp(prefix="duebook-durable-"))
    server = start_postgres(folder / "cluster", free_port())
    killed, at_random = partial(_lived, kills, times, seed), partial(_lived, cuts, cut, seed)
    sqlite = f"sqlite+aiosqlite:///{folder}/ledger.db"
    try:
        runs = [
            Run(f"{times} kills, SQLite", sqlite, killed),
            Run(f"{times} kills, PostgreSQL", _database(server, "killed"), killed),
            Run(f"{cut} cuts, PostgreSQL", _database(server, "cut"), at_random),
        ]
        for moment in Moment:
            name, url = f"{cut} cuts {moment.value} COMMIT", _database(server, moment.value)
            runs.append(Run(name, url, partial(_cut_at_commit, moment, cut, seed)))
        for number, run in enumerate(one for one in runs if only in one.name):
            (place := folder / str(number)).mkdir()
            started = perf_counter()
            found = run.work(run.url, place, console.log)
            seconds = perf_counter() - started
            figures = (len(found.asked), len(found.told), found.lost, found.doubled, found.half)
            other = sum(found.other.values())
            table.add_row(run.name, *[f"{n:,}" for n in (*figures, other)], f"{seconds:.0f}")
            bad += found.lost + found.doubled + found.half
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    console.print(table)
    raise typer.Exit(1 if bad else 0)


def _lived(work: Any, times: int, seed: int, url: str, place: Path, say: Say) -> Tally:
    with ledger_on(url, place) as ledger:
        return asyncio.run(work(ledger, times, seed, say))


def _cut_at_commit(moment: Moment, times: int, seed: int, url: str, place: Path, say: Say) -> Tally:
    with a_door(url) as (door, through), ledger_on(through, place) as ledger:
        return asyncio.run(commit_cuts(ledger, door, moment, times, seed, say))


def _database(server: Postgres, name: str) -> str:
    async def create() -> None:
        connection = await asyncpg.connect(server.url().replace("+asyncpg", ""))
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    asyncio.run(create())
    return server.url(name)


if __name__ == "__main__":
    typer.run(main)
