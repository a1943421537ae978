"""The ledger's command line."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from eventsourcing.persistence import PersistenceError
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn

from services.ledger.adapters.append_only import LogNotAppendOnly, keep_log
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.parquet import DuckDBMissing
from services.ledger.application.key_rotation import rotate
from services.ledger.application.reconciling import Statement, read_statement
from services.ledger.application.verifying import Verdict
from services.ledger.compose import serve_ledger
from services.ledger.compose_export import export_book
from services.ledger.compose_follow import follow_log
from services.ledger.compose_rebuild import rebuild_models
from services.ledger.compose_relay import relay_log
from services.ledger.compose_replay import explain_late_seal, replay_book
from services.ledger.config import LedgerSettings
from services.ledger.entrypoints import log_cli, period_cli, stream_cli
from services.ledger.entrypoints.forms import As, Form, write
from services.ledger.entrypoints.recompute_cli import recompute
from shared.kernel.dates import parse_date
from shared.kernel.errors import InvalidArgument
from shared.runtime.grpc_server import run
from shared.runtime.settings import describe

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="The ledger of a lender's book.\n\nSettings, from the environment:\n\n\b\n"
    + describe(LedgerSettings),
)
app.command()(recompute)
app.add_typer(log_cli.app, name="audit")
app.add_typer(period_cli.app, name="book")
app.add_typer(stream_cli.app, name="stream")


@app.callback(invoke_without_command=True)
def serve(context: typer.Context) -> None:
    """Serve the gRPC API until SIGTERM or Ctrl-C."""
    if context.invoked_subcommand is None:
        run(lambda: serve_ledger(LedgerSettings()))


@app.command(hidden=True)
def follow() -> None:
    """Follow the log into read models and seals; started by the ledger itself."""
    uvloop.run(follow_log(LedgerSettings()))


@app.command(hidden=True)
def relay() -> None:
    """Publish the log to NATS; started by the ledger itself."""
    uvloop.run(relay_log(LedgerSettings()))


@app.command()
def replay(
    kept: Annotated[
        list[Path] | None,
        typer.Option(help="A signed checkpoint that was kept elsewhere; may be given again."),
    ] = None,
    statement: Annotated[
        Path | None,
        typer.Option(
            help="The bank's statement: CSV, on,amount,currency,reference; before it, if the bank"
            " says so, covers,2026-01-01,2026-03-31. Without that it covers all time."
        ),
    ] = None,
    since: Annotated[str, typer.Option(help="The first day that the statement covers.")] = "",
    until: Annotated[str, typer.Option(help="The last day that the statement covers.")] = "",
    processes: Annotated[
        int, typer.Option(min=0, help="Share the loans among so many; 0: one per core.")
    ] = 0,
    form: As = Form.TABLE,
) -> None:
    """
    Hold the whole book against its log, its seals and the bank, check by named check.

    Run it while the ledger is down or quiet. The exit code is 1 when anything differs.
    """
    notes = [path.read_text("utf-8") for path in kept or []]
    bank = _statement(statement, since, until) if statement else None
    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replaying")

        def show(what: str, done: int, of: int) -> None:
            bar.update(task, description=what, completed=done, total=of)

        verdicts = asyncio.run(replay_book(LedgerSettings(), notes, bank, processes, show))
    raise typer.Exit(_shown(verdicts, form))


def _statement(path: Path, since: str, until: str) -> Statement:
    """Read a statement; what is wrong with it is one line and exit code 2."""
    try:
        first = parse_date(since, field="since") if since else None
        last = parse_date(until, field="until") if until else None
        return read_statement(path.read_text("utf-8").splitlines(), first, last)
    except (OSError, InvalidArgument) as failure:
        print(f"{path}: {failure}", file=sys.stderr)
        raise typer.Exit(2) from None


@app.command()
def rebuild(
    replace: Annotated[
        bool, typer.Option(help="Switch even where rows differ: the live ones are wrong.")
    ] = False,
    form: As = Form.TABLE,
) -> None:
    """
    Build the read models again beside the live ones, compare every row, and switch.

    The ledger may be up, and postings may go on. Cut short, it goes on where it stopped. Where rows
    differ it does not switch, and the exit code is 1.
    """
    columns = (*Progress.get_default_columns(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("following the log")
        show = lambda done, of: bar.update(task, completed=done, total=of)  # noqa: E731
        found = asyncio.run(rebuild_models(LedgerSettings(), replace=replace, say=show))
    said = "the new tables are live" if found.switched else "the old tables stay"
    print(said, file=sys.stderr)
    _shown(found.verdicts, form)
    raise typer.Exit(0 if found.switched else 1)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if missing.")],
    parquet: Annotated[
        bool, typer.Option(help="Also write Parquet, and recompute the book from it with DuckDB.")
    ] = False,
    form: As = Form.TABLE,
) -> None:
    """
    Write the book for hledger and beancount, whose journals assert our balances themselves.

    The exit code is 1 when the recomputation differs, 2 when DuckDB is not installed.
    """
    try:
        said = partial(print, file=sys.stderr)
        work = export_book(LedgerSettings(), folder, parquet=parquet, say=said)
        verdicts = asyncio.run(work).verdicts
    except DuckDBMissing as missing:
        print(missing, file=sys.stderr)
        raise typer.Exit(2) from None
    if parquet:
        raise typer.Exit(_shown(verdicts, form))


@app.command()
def rotate_key(
    reason: Annotated[str, typer.Option(help="Why; kept in the log for ever.")],
) -> None:
    """
    Sign the log with a new key from here on; old checkpoints keep verifying.

    Run it beside the ledger or while it is down; when it was cut short, run it again.
    """
    settings = LedgerSettings()
    store = open_event_store(settings.database_url)
    try:
        now, path = datetime.now(UTC), settings.signing_key_path()
        done = rotate(store, path, settings.log_origin, now=now, reason=reason)
    finally:
        store.close()
    print(f"was {done.verifier_before}\nis  {done.verifier_after}")


@app.command("keep-log")
def keep_log_from_its_writer(
    writer: Annotated[str, typer.Option(help="The login that the ledger uses; it exists.")],
    owner_url: Annotated[
        str,
        typer.Option(
            envvar="LEDGER_OWNER_DATABASE_URL",
            help="postgresql+asyncpg://owner:password@host/name: who is to own the log.",
        ),
    ],
) -> None:
    """
    Make the log on PostgreSQL as its owner; the ledger's login can only read it and append to it.

    Run it before the ledger's first start and after each upgrade. The ledger needs nothing else of
    the owner, whose password then belongs on no server.
    """
    try:
        keep_log(owner_url, writer)
    except (LogNotAppendOnly, PersistenceError) as failure:
        print(failure, file=sys.stderr)
        raise typer.Exit(2) from None
    print(f"{writer} can read the log and append to it")


@app.command()
def explain_late(
    first: Annotated[int, typer.Option(help="The first leaf that was sealed late, as told.")],
    end: Annotated[int, typer.Option(help="The leaf after the last one.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the log for ever.")],
    by: Annotated[str, typer.Option(help="Who says so, such as person/li.")],
    approved_by: Annotated[str, typer.Option(help="A second person; four eyes need one.")] = "",
) -> None:
    """Say in the log why the sealer was late; `replay` then says explained, and lists it still."""
    try:
        explain_late_seal(LedgerSettings(), (first, end), reason, by=by, approved_by=approved_by)
    except InvalidArgument as refusal:
        print(f"{refusal.reason}: {refusal.message}", file=sys.stderr)
        raise typer.Exit(2) from None


def _shown(verdicts: list[Verdict], form: Form) -> int:
    """Print what was compared, with the first of what differs; return 1 if anything differs."""
    header = ("compared", "rows", "different", "explained", "first of them")
    rows = [
        (v.name, v.rows, len(v.different), len(v.explained), "; ".join(_first(v))) for v in verdicts
    ]
    write(form, header, rows)
    return 1 if any(v.different for v in verdicts) else 0


def _first(verdict: Verdict) -> list[str]:
    return verdict.different[:5] + verdict.explained
