"""The evidence about a period from the command line."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated
from zipfile import BadZipFile, ZipFile, is_zipfile

import typer

from services.ledger.adapters.parquet import DuckDBMissing
from services.ledger.compose_period import LOCK, SaidBy, pack_period
from services.ledger.config import LedgerSettings
from services.ledger.entrypoints.audit_cli import SAID
from services.ledger.entrypoints.book_cli import app
from services.ledger.entrypoints.forms import AsElse, write
from shared.audit.notes import CheckpointInvalid
from shared.audit.one_file import verifier_program
from shared.kernel.dates import parse_date
from shared.kernel.errors import LendingError

NONCE_MAX = 200


@app.command()
def evidence(
    since: Annotated[str, typer.Argument(help="The first business date, 2026-03-01.")],
    until: Annotated[str, typer.Argument(help="The last, which the ledger has closed.")],
    output: Annotated[Path, typer.Option(help="The zip to write.")] = Path("period.zip"),
    last: Annotated[
        Path | None, typer.Option(help="The pack before this one, or its checkpoint.")
    ] = None,
    sample: Annotated[int, typer.Option(min=0, help="Entries to hold against vouchers.")] = 25,
    nonce: Annotated[
        str,
        typer.Option(
            "--nonce",
            "--seed",
            help="The auditor's own word, said when they hold the last checkpoint; with its root it"
            " draws the sample. Without one the pack says that the keeper knew the seed.",
        ),
    ] = "",
    lock: Annotated[Path, typer.Option(help="The file that pins the program's parts.")] = LOCK,
    parquet: Annotated[bool, typer.Option(help="Also put the events in as Parquet.")] = False,
    form: AsElse = None,
) -> None:
    """
    Write the whole book of a period into a zip that anybody can check; verify.py beside it.

    That it was taken is recorded in the log: DUEBOOK_READER says by whom, DUEBOOK_PURPOSE what for.
    The exit code is 2 when there is no such period, it is not sealed, or a file cannot be read.
    """
    try:
        work = pack_period(
            LedgerSettings(),
            parse_date(since, field="since"),
            parse_date(until, field="until"),
            output,
            sample=sample,
            nonce=nonce[:NONCE_MAX],
            last=_checkpoint(last) if last else "",
            lock=lock,
            parquet=parquet,
            said_by=SaidBy(*(os.environ.get(f"DUEBOOK_{n.upper()}", "")[:200] for n in SAID)),
        )
        pack = asyncio.run(work)
        output.with_name("verify.py").write_bytes(verifier_program())
    except LendingError as refusal:
        print(f"{refusal.reason}: {refusal.message}", file=sys.stderr)
        raise typer.Exit(2) from None
    except (OSError, BadZipFile, KeyError, CheckpointInvalid, DuckDBMissing) as failure:
        print(failure, file=sys.stderr)
        raise typer.Exit(2) from None
    if form is not None:
        row = (str(output), pack.sha256, pack.verifier)
        return write(form, ("file", "sha256", "verifier"), [row])
    print(f"{output}: sha256 {pack.sha256}")
    print(f"check it with: python3 -I {output.with_name('verify.py')} {output} '{pack.verifier}'")


def _checkpoint(path: Path) -> str:
    """Return a checkpoint, out of a pack or as it is; only its signature says whether it is one."""
    if not is_zipfile(path):
        return path.read_text("utf-8")
    with ZipFile(path) as pack:
        return pack.read("checkpoint.txt").decode()
