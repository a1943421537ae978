"""Origination's command line."""

from __future__ import annotations

import typer

from services.origination.compose import serve_origination
from services.origination.config import OriginationSettings
from services.origination.entrypoints.shred import shred
from services.origination.entrypoints.walk import walk
from shared.runtime.grpc_server import run
from shared.runtime.settings import describe

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="From an application to money paid out.\n\nSettings, from the environment:\n\n\b\n"
    + describe(OriginationSettings),
)


app.command()(walk)
app.command()(shred)


@app.callback(invoke_without_command=True)
def serve(context: typer.Context) -> None:
    """Serve the gRPC API until SIGTERM or Ctrl-C."""
    if context.invoked_subcommand is None:
        run(lambda: serve_origination(OriginationSettings()))
