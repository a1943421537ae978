"""Run published cases through the real domain code: `make cases FILES="a.jsonl b.jsonl"`."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tests.cases.domain import NOT_APPLICABLE, check_figure
from tests.cases.scenario import check_scenario
from tests.cases.servicing import check_schedule

Case = dict[str, Any]


def verdict(case: Case) -> tuple[str, str, list[str]]:
    """Return the group of a case, passed, failed or not applicable, and what differs."""
    if "kind" in case:
        group = str(case["kind"])
        check = check_schedule if group == "schedule" else check_scenario
    else:
        group = str(case["category"])
        check = check_figure
        if group in NOT_APPLICABLE:
            return group, "not applicable", [NOT_APPLICABLE[group]]
    try:
        differs = check(case)
    except Exception as error:
        differs = [f"{type(error).__name__}: {error}"]
    return group, "failed" if differs else "passed", differs


def read(files: list[Path]) -> Iterator[Case]:
    """Read one case a line; an empty line is passed over."""
    for file in files:
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
            if line.strip():
                try:
                    yield json.loads(line)
                except json.JSONDecodeError as error:
                    raise typer.BadParameter(f"{file}:{number} is not JSON: {error}") from None


def main(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True)],
) -> None:
    """Run case files; a line per failing case, a table per kind or category, exit 1 on failure."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    reasons: dict[str, str] = {}
    console = Console(width=110)
    for case in read(files):
        group, outcome, differs = verdict(case)
        counts[group][outcome] += 1
        if outcome == "not applicable":
            reasons[group] = differs[0]
        elif differs:
            more = f" (and {len(differs) - 1} more)" if len(differs) > 1 else ""
            typer.echo(f"{case.get('id')} {group}: {differs[0]}{more}")
    table = Table("kind or category", "counted", "passed", "failed", "not applicable")
    for group, found in counts.items():
        reason = f" ({reasons[group]})" if group in reasons else ""
        skipped = f"{found['not applicable']}{reason}"
        row = [sum(found.values()), found["passed"], found["failed"]]
        table.add_row(group, *map(str, row), skipped)
    console.print(table)
    failed = sum(found["failed"] for found in counts.values())
    passed = sum(found["passed"] for found in counts.values())
    typer.echo(f"{passed} passed, {failed} failed")
    raise typer.Exit(1 if failed else 0)


if __name__ == "__main__":
    typer.run(main)
