"""Destroy what is personal of one borrower, at a terminal."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from services.collections.adapters.policy_files import read_policies
from services.collections.application.shredding import shred_debtor
from services.collections.compose import APPLICATION_ID, open_records
from services.collections.config import CollectionsSettings
from shared.kernel.errors import LendingError
from shared.runtime.vault import VaultKeyMissing


def shred(
    borrower_ref: Annotated[str, typer.Argument(help="The borrower's opaque reference.")],
    reason: Annotated[str, typer.Option(help="Why, kept; such as the request for erasure.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Destroy a borrower's key: addresses, letters, notes and what was told are gone for ever."""
    if not yes:
        typer.confirm(f"destroy what is personal of {borrower_ref}, for ever?", abort=True)
    try:
        asyncio.run(_shred(borrower_ref, reason))
    except VaultKeyMissing as problem:
        typer.echo(f"cannot: {problem}", err=True)
        raise typer.Exit(2) from None
    except LendingError as refusal:
        typer.echo(f"{refusal.reason}: {refusal.message}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{borrower_ref} is shredded")


async def _shred(borrower_ref: str, reason: str) -> None:
    settings = CollectionsSettings()
    records = open_records(settings)
    await records.create(APPLICATION_ID)
    policies = read_policies(settings.policy_folder)
    try:
        await shred_debtor(records, policies, borrower_ref, reason, datetime.now(UTC))
    finally:
        await records.engine.dispose()
