"""Delete records of contact that were kept for long enough, at a terminal."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import Annotated

import typer

from services.collections.adapters.policy_files import read_policies
from services.collections.application.ports import Policies
from services.collections.application.purging import Kept, counts, due_for_purge, purge_debtor
from services.collections.compose import APPLICATION_ID, open_records
from services.collections.config import CollectionsSettings
from shared.kernel.dates import parse_date
from shared.kernel.errors import LendingError
from shared.runtime.records import Records
from shared.runtime.requests import a_text
from shared.runtime.vault import VaultKeyMissing

SHOWN_MOST = 20


def purge(
    borrower_ref: Annotated[str, typer.Argument(help="Only this borrower's.")] = "",
    by: Annotated[str, typer.Option(help="Who deletes them; kept.")] = "",
    reason: Annotated[str, typer.Option(help="Why; kept.")] = "kept for long enough",
    on: Annotated[str, typer.Option(help="Preview of a later day, such as 2031-02-06.")] = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="Delete; else only say what would be.")
    ] = False,
) -> None:
    """Delete attempts, messages, trail and tasks that the law no longer wants; first a preview."""
    try:
        day = parse_date(on, field="on") if on else datetime.now(UTC).date()
        if yes and on:
            raise typer.BadParameter("--on is for a preview")
        asyncio.run(_purge(borrower_ref, a_text(by, "by") if yes else "", reason, day))
    except VaultKeyMissing as problem:
        typer.echo(f"cannot: {problem}", err=True)
        raise typer.Exit(2) from None
    except LendingError as refusal:
        more = f" ({refusal.expected})" if refusal.expected else ""
        typer.echo(f"{refusal.reason}: {refusal.message}{more}", err=True)
        raise typer.Exit(1) from None


async def _purge(borrower_ref: str, by: str, reason: str, day: date) -> None:
    settings = CollectionsSettings()
    records = open_records(settings)
    await records.create(APPLICATION_ID)
    policies = read_policies(settings.policy_folder)
    try:
        if borrower_ref and by:
            return await _delete(records, policies, [borrower_ref], (by, reason))
        due = [kept async for kept in due_for_purge(records, policies, day)]
        due = [kept for kept in due if borrower_ref in ("", kept.debtor.borrower_ref)]
        if by:
            refs = [kept.debtor.borrower_ref for kept in due]
            return await _delete(records, policies, refs, (by, reason))
        _preview(due)
    finally:
        await records.engine.dispose()


def _preview(due: list[Kept]) -> None:
    typer.echo(f"would be deleted, of {counts(due)}")
    for kept in due[:SHOWN_MOST]:
        typer.echo(f"{kept.debtor.borrower_ref} since {kept.until}")
    if len(due) > SHOWN_MOST:
        typer.echo(f"and {len(due) - SHOWN_MOST} more")


async def _delete(
    records: Records, policies: Policies, refs: list[str], told: tuple[str, str]
) -> None:
    """Delete one by one, each in a transaction of its own: killed, it goes on when called again."""
    for ref in refs:
        done = await purge_debtor(records, policies, ref, told, datetime.now(UTC))
        typer.echo(
            f"{ref}: {done.attempts} attempts, {done.messages} messages, {done.lines} lines and "
            f"{done.tasks} tasks deleted"
        )
    typer.echo(f"{len(refs)} borrowers done")
