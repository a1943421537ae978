"""Collections's command line."""

from __future__ import annotations

import typer

from services.collections.compose import serve_collections
from services.collections.config import CollectionsSettings
from shared.runtime.grpc_server import run
from shared.runtime.settings import describe

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="Cases, contact, promises, hardship plans.\n\nSettings, from the environment:\n\n\b\n"
    + describe(CollectionsSettings),
)


@app.callback(invoke_without_command=True)
def serve() -> None:
    """Serve the gRPC API until SIGTERM or Ctrl-C."""
    run(lambda: serve_collections(CollectionsSettings()))
