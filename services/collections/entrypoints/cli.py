"""Collections' command line: serve, draw the figures, forget borrowers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from lending.collections.v1 import work_service_pb2 as pb
from lending.collections.v1.work_service_pb2_grpc import WorkServiceStub

from services.collections.adapters.picture import picture
from services.collections.compose import serve_collections
from services.collections.config import CollectionsSettings
from services.collections.entrypoints.purge import purge
from services.collections.entrypoints.shred import shred
from shared.kernel.errors import LendingError
from shared.runtime.grpc_client import open_channel
from shared.runtime.grpc_server import run
from shared.runtime.settings import describe

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="Cases, contact, promises, plans, claims, the legal ladder.\n\n"
    "Settings, from the environment:\n\n\b\n" + describe(CollectionsSettings),
)

app.command()(shred)
app.command()(purge)


@app.callback(invoke_without_command=True)
def serve(context: typer.Context) -> None:
    """Serve the gRPC API until SIGTERM or Ctrl-C."""
    if context.invoked_subcommand is None:
        run(lambda: serve_collections(CollectionsSettings()))


@app.command()
def report(
    out: Annotated[Path, typer.Argument(help="The SVG file to write.")],
    from_on: Annotated[str, typer.Option(help="First day, such as 2025-01-01.")] = "",
    until_on: Annotated[str, typer.Option(help="Last day, such as 2025-12-31.")] = "",
    target: Annotated[str, typer.Option(help="Where collections listens.")] = "127.0.0.1:7104",
) -> None:
    """Draw the figures of a running collections: months, and shares by arm with intervals."""

    async def ask() -> pb.GetFiguresResponse:
        channel = open_channel(target, 60.0)
        request = pb.GetFiguresRequest(from_on=from_on, until_on=until_on)
        try:
            return await WorkServiceStub(channel).GetFigures(request)
        finally:
            await channel.close()

    try:
        answer = asyncio.run(ask())
    except LendingError as refusal:
        typer.echo(f"{refusal.reason}: {refusal.message}", err=True)
        raise typer.Exit(2) from None
    title = f"Collections, {from_on or 'the beginning'} to {until_on or 'now'}"
    out.write_text(picture(answer, title), encoding="utf-8")
    typer.echo(f"{len(answer.months)} months, {len(answer.shares)} shares in {out}")
