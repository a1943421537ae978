"""Seed twelve kinds of fraud into an honest book, and count what is found: `make fraud`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.fraud.schemes import book
from tests.fraud.tally import tally


def main(
    honest: Annotated[int, typer.Option(help="Honest loans.")] = 2_000,
    of_each: Annotated[int, typer.Option(help="Loans of each kind of fraud.")] = 50,
    seed: Annotated[int, typer.Option(help="Of everything that chance decides.")] = 240,
) -> None:
    """Print recall by kind, and false alarms; loans and tests are by the same hands."""
    rows = tally(book(honest, of_each, seed))
    table = Table("what is done", "loans", "found by its test", "by any")
    for row in rows:
        table.add_row(row.scheme, str(row.loans), str(row.by_its_test), str(row.by_any))
    console = Console()
    console.print(table)
    frauds, innocent = rows[:-1], rows[-1]
    found, there = sum(r.by_any for r in frauds), sum(r.loans for r in frauds)
    console.print(
        f"recall {found}/{there} = {found / there:.1%};"
        f" false alarms {innocent.by_any}/{innocent.loans} = {innocent.by_any / innocent.loans:.1%}"
    )


if __name__ == "__main__":
    typer.run(main)
