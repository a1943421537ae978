"""Measure the ledger against floors of the same run: `make bench` or `make bench QUICK=1`."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from shared.runtime.postgres_server import start_postgres
from tests.bench import inside, posting
from tests.bench.measures import Measure
from tests.system.processes import ROOT, free_port


async def _postgres(folder: Path, runs: int, seconds: float, console: Console) -> list[Measure]:
    server = start_postgres(folder / "cluster", free_port())
    try:
        connection = await asyncpg.connect(server.url().replace("+asyncpg", ""))
        await connection.execute("CREATE DATABASE bench")
        await connection.close()
        url = server.url("bench")
        return await posting.measure("postgresql", url, folder, runs, seconds, console.log)
    finally:
        server.stop()


async def _all(folder: Path, quick: bool, console: Console) -> list[Measure]:
    runs, seconds = 5, 1.5 if quick else 6.0
    console.log("replay and backdating")
    found = [inside.replay(100 if quick else 1_000, runs), inside.backdated(runs, 10)]
    (folder / "sqlite").mkdir()
    (folder / "postgresql").mkdir()
    url = f"sqlite+aiosqlite:///{folder}/sqlite/ledger.db"
    found += await posting.measure("sqlite", url, folder / "sqlite", runs, seconds, console.log)
    found += await _postgres(folder / "postgresql", runs, seconds, console)
    console.log("ageing: a small book and one a hundred times larger")
    due = 20 if quick else 200
    found.append(await inside.ageing_growth(folder / "ageing", runs, due, 100))
    return found


def main(
    quick: Annotated[bool, typer.Option(help="Shorter runs, in under three minutes.")] = False,
) -> None:
    """Print a table, and write build/bench.json: one object per figure."""
    console = Console(width=120)
    folder = Path(tempfile.mkdtemp(prefix="duebook-bench-"))
    try:
        found = asyncio.run(_all(folder, quick, console))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table = Table("figure", "ours", "floor", "ratio", "min", "max", "floor is")
    for one in found:
        row = one.as_json()
        figures = [row["ours"], row["floor"], row["ratio"], row["min"], row["max"]]
        table.add_row(one.name, *[f"{value:,.4g}" for value in figures], one.floor_is)
    console.print(table)
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps([one.as_json() for one in found], indent=2) + "\n")
    console.print(f"written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    typer.run(main)
