"""Risk's command line."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from services.risk.compose import serve_risk
from services.risk.config import HERE, RiskSettings
from services.risk.entrypoints import alert_desk, monitoring_desk, portfolio_desk, training_desk
from services.risk.entrypoints.replaying import replay_decisions
from shared.kernel.errors import LendingError
from shared.runtime.grpc_server import run
from shared.runtime.settings import describe

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="Decides whether to lend, and why.\n\nSettings, from the environment:\n\n\b\n"
    + describe(RiskSettings),
)
MODELS = HERE / "models"
Answer = TypeVar("Answer")


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


@app.command("keep-book")
def keep(
    last: Annotated[datetime, typer.Argument(help="The last date.", formats=["%Y-%m-%d"])],
    first: Annotated[
        datetime | None, typer.Option(help="From when on; only the last date if not given.")
    ] = None,
    currency: Annotated[str, typer.Option(help="ISO 4217 code.")] = "CNY",
) -> None:
    """Keep the book of each month end, as the ledger now knows it."""
    start = (first or last).date()
    _or_say(portfolio_desk.keep_book(RiskSettings(), start, last.date(), currency))


@app.command()
def portfolio(
    as_of: Annotated[datetime, typer.Argument(help="A date kept.", formats=["%Y-%m-%d"])],
    currency: Annotated[str, typer.Option(help="ISO 4217 code.")] = "CNY",
    html: Annotated[
        Path | None, typer.Option(help="Write the same as an HTML page, with plots.")
    ] = None,
) -> None:
    """Print stages, allowances, stress, roll rates and vintages of a date."""
    _or_say(portfolio_desk.show(RiskSettings(), as_of.date(), currency, html))


@app.command()
def losses(
    as_of: Annotated[datetime, typer.Argument(help="A date kept.", formats=["%Y-%m-%d"])],
    currency: Annotated[str, typer.Option(help="ISO 4217 code.")] = "CNY",
    json: Annotated[bool, typer.Option("--json", help="Print the message as JSON.")] = False,
) -> None:
    """Print who bears the loss expected of a date's book, and the capital that it asks."""
    _or_say(portfolio_desk.losses(RiskSettings(), as_of.date(), currency, json=json))


@app.command()
def alerts() -> None:
    """Print what early warnings were worth, by what officers recorded, and who has open ones."""
    _or_say(alert_desk.show(RiskSettings()))


@app.command()
def monitor(
    as_of: Annotated[datetime, typer.Argument(help="A date kept.", formats=["%Y-%m-%d"])],
    since: Annotated[
        datetime, typer.Option(help="Decisions from this date on.", formats=["%Y-%m-%d"])
    ] = datetime(2000, 1, 1),
    currency: Annotated[str, typer.Option(help="ISO 4217 code.")] = "CNY",
    html: Annotated[
        Path | None, typer.Option(help="Write the same as an HTML page, with figures over time.")
    ] = None,
) -> None:
    """Print drift, discrimination and calibration of each card in use; exit 1 on a red one."""
    dates = since.date(), as_of.date()
    raise typer.Exit(int(_or_say(monitoring_desk.show(RiskSettings(), *dates, currency, html))))


def _or_say(work: Coroutine[None, None, Answer]) -> Answer:
    """Do some work; what stands in the way is said in one line, and the exit code is 2."""
    try:
        return asyncio.run(work)
    except LendingError as problem:
        expected = f"; expected {problem.expected}" if problem.expected else ""
        typer.echo(f"{problem.reason}: {problem.message}{expected}", err=True)
        raise typer.Exit(2) from None


@app.command()
def train(
    data: Annotated[Data, typer.Argument(help="Which set.")] = Data.GERMAN,
    folder: Annotated[Path, typer.Option(help="Where artefacts and the model card go.")] = MODELS,
) -> None:
    """Train champion and challenger, try both on held-out folds, and write them with a card."""
    training_desk.train(data, folder)


@app.command()
def population(
    version: Annotated[str, typer.Argument(help="A card, such as german-woe/1.")],
    data: Annotated[Data, typer.Option(help="The set it was trained on.")] = Data.GERMAN,
    folder: Annotated[Path, typer.Option(help="Where the card is.")] = MODELS,
) -> None:
    """Count whom a card was trained on, so that `monitor` can hold who applies against it."""
    training_desk.count_population(version, data, folder)


@app.command()
def evaluate(
    data: Annotated[list[Data] | None, typer.Argument(help="Which sets; all if none.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the same as an HTML page, with plots.")
    ] = None,
) -> None:
    """Try both models on held-out folds of each set, and hold the figures against the bars."""
    raise typer.Exit(training_desk.evaluate(data or list(Data), html))
