"""Destroy what is personal of one borrower, at a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from services.origination.application.shredding import shred_borrower
from services.origination.compose import APPLICATION_ID, open_records
from services.origination.config import OriginationSettings
from shared.runtime.shredding import shred_at_terminal


def shred(
    borrower_ref: Annotated[str, typer.Argument(help="The borrower's opaque reference.")],
    reason: Annotated[str, typer.Option(help="Why, kept; such as the request for erasure.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Destroy a borrower's key: name, numbers, accounts and documents are gone for ever."""
    shred_at_terminal(borrower_ref, lambda: _shred(borrower_ref, reason), yes=yes)


async def _shred(borrower_ref: str, reason: str) -> list[str]:
    records = open_records(OriginationSettings())
    await records.create(APPLICATION_ID)
    try:
        done = await shred_borrower(records, borrower_ref, reason, datetime.now(UTC))
    finally:
        await records.engine.dispose()
    for name in done.named:
        typer.echo(f"still named in the documents of {name}, sealed for its borrower")
    return [
        f"{one.kind} {one.record_id}"
        + (f" ({one.state})" if one.state else "")
        + f" cannot be read: {one.why}"
        for one in done.left
    ]
