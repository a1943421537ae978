"""Kill the ledger 200 times per store and cut its connections 50 times: `make durable`."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from shared.runtime.postgres_server import Postgres, start_postgres
from tests.simulation.durability import Tally, cuts, kills
from tests.system.one_ledger import ledger_on
from tests.system.processes import free_port

Run = Callable[[], Tally]


def main(
    times: Annotated[int, typer.Option(help="Kills per store.")] = 200,
    cut: Annotated[int, typer.Option(help="Cuts of PostgreSQL's connections.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the random moments.")] = 1,
    only: Annotated[str, typer.Option(help="Only runs whose name has this: SQLite, cuts.")] = "",
) -> None:
    """Print a table; exit 1 if anything was lost, doubled or half-written."""
    console = Console(width=120)
    folder = Path(tempfile.mkdtemp(prefix="duebook-durable-"))
    server = start_postgres(folder / "cluster", free_port())
    table = Table(
        "what", "asked", "answered", "lost", "doubled", "half-written", "other", "seconds"
    )
    bad = 0
    try:
        sqlite = f"sqlite+aiosqlite:///{folder}/ledger.db"
        runs = [
            (f"{times} kills, SQLite", kills, times, sqlite),
            (f"{times} kills, PostgreSQL", kills, times, _database(server, "killed")),
            (f"{cut} cuts, PostgreSQL", cuts, cut, _database(server, "cut")),
        ]
        chosen = [run for run in runs if only in run[0]]
        for number, (name, work, count, url) in enumerate(chosen):
            place = folder / str(number)
            place.mkdir()
            started = perf_counter()
            with ledger_on(url, place) as ledger:
                found = asyncio.run(work(ledger, count, seed, console.log))
            seconds = perf_counter() - started
            figures = (len(found.asked), len(found.told), found.lost, found.doubled, found.half)
            other = sum(found.other.values())
            table.add_row(name, *[f"{n:,}" for n in (*figures, other)], f"{seconds:.0f}")
            bad += found.lost + found.doubled + found.half
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    console.print(table)
    raise typer.Exit(1 if bad else 0)


def _database(server: Postgres, name: str) -> str:
    async def create() -> None:
        connection = await asyncpg.connect(server.url().replace("+asyncpg", ""))
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    asyncio.run(create())
    return server.url(name)


if __name__ == "__main__":
    typer.run(main)
