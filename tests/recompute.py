"""Other programs recompute a whole book: DuckDB, beancount, hledger; a cent apart is red."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from deploy.local.settings import from_environment
from services.ledger.compose_export import export_book
from services.ledger.config import LedgerSettings
from tests.oracles import MISSING, hledger


class Answer(NamedTuple):
    """What a program says of the book: None when it is not here."""

    program: str
    agrees: bool | None
    said: str


def recompute(settings: LedgerSettings, folder: Path) -> list[Answer]:
    """Export a book into a folder, and let each program come to its balances by itself."""
    work = export_book(settings, folder, parquet=True, say=lambda _: None)
    verdicts = asyncio.run(work)
    wrong = [f"{v.name}: {v.different[0]}" for v in verdicts if v.different]
    compared = f"{sum(v.rows for v in verdicts)} figures"
    duckdb = Answer("DuckDB", not wrong, "; ".join(wrong) or compared)
    beancount = [str(Path(sys.executable).with_name("bean-check")), str(folder / "book.beancount")]
    strict = ["-f", str(folder / "book.journal"), "check", "--strict"]
    oracle = hledger()
    return [
        duckdb,
        _asked("beancount", beancount),
        _asked("hledger", [*oracle, *strict]) if oracle else Answer("hledger", None, MISSING),
    ]


def _asked(program: str, command: list[str]) -> Answer:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = (done.stderr or done.stdout).strip()
    return Answer(program, done.returncode == 0, said[:500] or "every balance it asserts holds")


def main(say: Callable[[str], None] = print) -> int:
    """Recompute the local suite's book; 1 when a program differs, 2 when one is not here."""
    os.environ.update(from_environment().environment("ledger"))
    with tempfile.TemporaryDirectory(prefix="duebook-recompute-") as folder:
        answers = recompute(LedgerSettings(), Path(folder))
    for answer in answers:
        word = {True: "agrees", False: "DIFFERS", None: "not asked"}[answer.agrees]
        say(f"{answer.program:10} {word}: {answer.said}")
    if any(answer.agrees is False for answer in answers):
        return 1
    return 2 if any(answer.agrees is None for answer in answers) else 0


if __name__ == "__main__":
    raise SystemExit(main())
