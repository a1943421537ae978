"""Destroy what is personal of one borrower, at a terminal: asked, done, and said in one line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import typer

from shared.kernel.errors import LendingError
from shared.runtime.vault import VaultKeyMissing


def shred_at_terminal(
    borrower_ref: str, shred: Callable[[], Coroutine[None, None, list[str]]], *, yes: bool
) -> None:
    """
    Ask, unless `yes`, and shred.

    Args:
        shred: Does it, and returns a line for each record that it could not read.
    Raises:
        Exit: 1 it is refused, 2 nothing is sealed here, 3 done, and records are left to be mended.
        Abort: the answer was no.
    """
    if not yes:
        typer.confirm(f"destroy what is personal of {borrower_ref}, for ever?", abort=True)
    try:
        left = asyncio.run(shred())
    except VaultKeyMissing as problem:
        typer.echo(f"cannot: {problem}", err=True)
        raise typer.Exit(2) from None
    except LendingError as refusal:
        typer.echo(f"{refusal.reason}: {refusal.message}", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{borrower_ref} is shredded")
    for line in left:
        typer.echo(line, err=True)
    if left:
        typer.echo(f"{len(left)} left: shred again once they can be read", err=True)
        raise typer.Exit(3)
