"""Origination's command line."""

from __future__ import annotations

import typer

from services.origination.compose import serve_origination
from services.origination.config import OriginationSettings
from shared.runtime.grpc_server import run
from shared.runtime.settings import describe

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="From an application to money paid out.\n\nSettings, from the environment:\n\n\b\n"
    + describe(OriginationSettings),
)


@app.callback(invoke_without_command=True)
def serve() -> None:
    """Serve the gRPC API until SIGTERM or Ctrl-C."""
    run(lambda: serve_origination(OriginationSettings()))
