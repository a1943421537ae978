"""Hold a subscriber against the kit: `make conformance HANDLER=module:make`, or COMMAND="…"."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.conformance import kit
from tests.conformance.candidates import Candidate, Handler, OurService, Program
from tests.system.processes import free_port


def maker(handler: str, command: str, service: str) -> kit.MakeCandidate:
    """Return what makes the candidate that was asked for."""

    def make(nats_url: str, folder: Path, key: str) -> Candidate:
        if handler:
            return Handler.of(handler, nats_url, folder, key)
        if service:
            return OurService.named(service, nats_url, folder, key)
        return Program(command, nats_url, folder, key)

    return make


def main(
    handler: Annotated[str, typer.Option(help="MODULE:MAKE of a Python handler.")] = "",
    command: Annotated[str, typer.Option(help="Any program; see tests/conformance.")] = "",
    service: Annotated[str, typer.Option(help="A service of ours: risk, collections.")] = "",
    seed: Annotated[int, typer.Option(help="Of the disorder.")] = 1,
    backlog: Annotated[int, typer.Option(help="Events that wait when it starts.")] = 10_000,
) -> None:
    """Print one line per case; exit 1 if the subscriber fails any."""
    if sum(map(bool, (handler, command, service))) != 1:
        raise typer.BadParameter("give one of --handler, --command, --service")
    folder = Path(tempfile.mkdtemp(prefix="duebook-conformance-"))
    try:
        made = maker(handler, command, service)
        findings = asyncio.run(kit.run(folder, made, free_port, seed, backlog))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table = Table("case", "verdict", "what was wrong", title=handler or command or service)
    for found in findings:
        table.add_row(found.case, found.verdict, found.wrong)
    Console().print(table)
    raise typer.Exit(1 if any(found.wrong for found in findings) else 0)


if __name__ == "__main__":
    typer.run(main)
