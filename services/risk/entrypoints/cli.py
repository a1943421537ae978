"""Risk's command line."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from services.risk.compose import serve_risk
from services.risk.config import HERE, RiskSettings
from services.risk.entrypoints import training_desk
from services.risk.entrypoints.replaying import replay_decisions
from shared.runtime.grpc_server import run
from shared.runtime.settings import describe

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="Decides whether to lend, and why.\n\nSettings, from the environment:\n\n\b\n"
    + describe(RiskSettings),
)
MODELS = HERE / "models"


class Data(StrEnum):
    """The sets that load offline."""

    GERMAN = "german"
    BLOAN = "bloan"


@app.callback(invoke_without_command=True)
def serve(context: typer.Context) -> None:
    """Serve the gRPC API until SIGTERM or Ctrl-C."""
    if context.invoked_subcommand is None:
        run(lambda: serve_risk(RiskSettings()))


@app.command()
def replay() -> None:
    """Make every decision again from what was stored, and compare; exit 1 if any differs."""
    raise typer.Exit(asyncio.run(replay_decisions(RiskSettings())))


@app.command()
def train(
    data: Annotated[Data, typer.Argument(help="Which set.")] = Data.GERMAN,
    folder: Annotated[Path, typer.Option(help="Where artefacts and the model card go.")] = MODELS,
) -> None:
    """Train champion and challenger, try both on held-out folds, and write them with a card."""
    training_desk.train(data, folder)


@app.command()
def evaluate(
    data: Annotated[list[Data] | None, typer.Argument(help="Which sets; all if none.")] = None,
) -> None:
    """Try both models on held-out folds of each set, and hold the figures against the bars."""
    raise typer.Exit(training_desk.evaluate(data or list(Data)))
