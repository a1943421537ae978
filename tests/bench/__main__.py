"""Measure the ledger against floors of the same run: `make bench` or `make bench QUICK=1`."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from shared.runtime.postgres_server import start_postgres
from tests.bench import cold, inside, posting, replays
from tests.bench.books import measure_book
from tests.bench.measures import Measure, machine
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
    found.append(inside.backdated_first(runs, 10))
    (folder / "sqlite").mkdir()
    (folder / "postgresql").mkdir()
    url = f"sqlite+aiosqlite:///{folder}/sqlite/ledger.db"
    found += await posting.measure("sqlite", url, folder / "sqlite", runs, seconds, console.log)
    found += await _postgres(folder / "postgresql", runs, seconds, console)
    console.log("replay by two processes and by one")
    found.append(await replays.two_processes(folder / "replay", 500 if quick else 3_000, runs))
    console.log("ageing: a small book and one a hundred times larger")
    due = 20 if quick else 200
    found.append(await inside.ageing_growth(folder / "ageing", runs, due, 100))
    loans = 500 if quick else 2_000
    found.append(await asyncio.to_thread(cold.ageing_cold, folder / "cold", runs, loans))
    return found


def _book(folder: Path, loans: int, console: Console) -> None:
    """Measure one book of which a hundredth changes, and one of only as many loans as change."""
    changes = max(1, loans // 100)
    console.log(f"a book of {changes:,} loans, then one of {loans:,}; {changes:,} change in each")
    small, large = (measure_book(folder / str(n), n, changes) for n in (changes, loans))
    table = Table("figure", f"{changes:,} loans", f"{loans:,} loans", "ratio")
    for name, value in large.items():
        if name not in ("loans", "changes"):
            ratio = f"{value / small[name]:,.3g}" if small[name] else "-"
            figures = (f"{small[name]:,.4g}", f"{value:,.4g}", ratio)
            table.add_row(name.replace("_", " "), *figures)
    console.print(table)
    _write("book.json", [small, large], console)


def _write(name: str, found: list[Any], console: Console) -> None:
    target = ROOT / "build" / name
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(found, indent=2) + "\n")
    console.print(f"written to {target.relative_to(ROOT)}; {machine()}")


def main(
    quick: Annotated[bool, typer.Option(help="Shorter runs, in under three minutes.")] = False,
    book: Annotated[int, typer.Option(help="Measure one book of so many loans instead.")] = 0,
) -> None:
    """Print a table, and write build/bench.json: one object per figure."""
    console = Console(width=120)
    folder = Path(tempfile.mkdtemp(prefix="duebook-bench-"))
    try:
        if book:
            _book(folder, book, console)
            return
        found = asyncio.run(_all(folder, quick, console))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table = Table("figure", "ours", "floor", "ratio", "min", "max", "floor is")
    for one in found:
        row = one.as_json()
        figures = [row["ours"], row["floor"], row["ratio"], row["min"], row["max"]]
        table.add_row(one.name, *[f"{value:,.4g}" for value in figures], one.floor_is)
    console.print(table)
    _write("bench.json", [one.as_json() for one in found], console)


if __name__ == "__main__":
    typer.run(main)
