"""The event stream on the ledger's command line."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.retelling import Retelling
from services.ledger.application.following import Follower
from services.ledger.config import LedgerSettings
from shared.kernel.errors import LendingError
from shared.runtime.bus import Bus

app = typer.Typer(no_args_is_help=True, help="The event stream, told again.")
CONNECT_SECONDS = 5.0


@app.callback()
def stream() -> None:
    """Tell the event stream again."""


@app.command()
def retell(
    experiment: Annotated[str, typer.Argument(help="Name of the retelling, such as rebuild-1.")],
    loan: Annotated[str, typer.Option(help="One loan only.")] = "",
) -> None:
    """Publish the log on lending.preview.EXPERIMENT, for a consumer rebuilt beside the live one."""
    settings = LedgerSettings()

    async def tell() -> int:
        bus = await asyncio.wait_for(Bus.connect(settings.nats_url, "retell"), CONNECT_SECONDS)
        store = open_event_store(settings.database_url)
        try:
            return await Retelling(Follower(store, decode), bus, experiment, loan).tell()
        finally:
            store.close()
            await bus.close()

    try:
        told = asyncio.run(tell())
    except TimeoutError:
        raise typer.BadParameter(f"{settings.nats_url} does not answer") from None
    except LendingError as refusal:
        raise typer.BadParameter(f"{refusal.message} ({refusal.reason})") from None
    typer.echo(f"{told} events told on lending.preview.{experiment}")
