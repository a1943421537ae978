"""Destroy what is personal of one borrower, at a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from services.collections.adapters.policy_files import read_policies
from services.collections.application.shredding import shred_debtor
from services.collections.compose import APPLICATION_ID, open_records
from services.collections.config import CollectionsSettings
from shared.runtime.shredding import shred_at_terminal


def shred(
    borrower_ref: Annotated[str, typer.Argument(help="The borrower's opaque reference.")],
    reason: Annotated[str, typer.Option(help="Why, kept; such as the request for erasure.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Destroy a borrower's key: addresses, letters, notes and what was told are gone for ever."""
    shred_at_terminal(borrower_ref, lambda: _shred(borrower_ref, reason), yes=yes)


async def _shred(borrower_ref: str, reason: str) -> list[str]:
    settings = CollectionsSettings()
    records = open_records(settings)
    await records.create(APPLICATION_ID)
    policies = read_policies(settings.policy_folder)
    try:
        await shred_debtor(records, policies, borrower_ref, reason, datetime.now(UTC))
    finally:
        await records.engine.dispose()
    return []
