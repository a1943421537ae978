"""Model monitoring, from the command line: tables, and a page with its figures over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table as Printed

from services.risk.adapters.artefacts import (
    read_models,
    read_policies,
    read_populations,
    read_toml,
)
from services.risk.adapters.report_page import Chart, Line, Table, page
from services.risk.application.deciding import Deciding
from services.risk.application.exposures import Exposures
from services.risk.application.monitoring import CardWatched, Monitoring
from services.risk.config import RiskSettings
from services.risk.domain.monitoring import Light, MonitoringRules, Watched
from services.risk.entrypoints.portfolio_desk import portfolios

HEAD = ("figure", "is", "held against", "light", "on")


async def show(
    settings: RiskSettings, since: date, as_of: date, currency: str, html: Path | None = None
) -> bool:
    """Print a table per card, and write a page if asked; returns whether anything is red."""
    rules = msgspec.convert(read_toml(settings.monitoring_file), MonitoringRules)
    async with portfolios(settings) as kept:
        policies, models = read_policies(settings.policy_folder), read_models(settings.model_folder)
        deciding = Deciding(Exposures(kept.records), policies, models)
        trained_on = read_populations(settings.model_folder)
        watched = Monitoring(deciding, kept, rules, trained_on)
        found = await watched.figures(since, as_of, currency)
    console = Console(width=110)
    for card in found:
        table = Printed(card.version, *HEAD[1:])
        for row in rows(card.figures):
            table.add_row(*row)
        console.print(table)
    for line in without_drift(found):
        console.print(line)
    if html is not None:
        parts = [part for card in found for part in card_parts(card, rules)]
        notes = (
            f"Decisions from {since} to {as_of}, {currency}; {rules.version}.",
            f"Outcomes are of loans seen {rules.window_months} month ends after their pay-out, "
            "good and bad alike, each under the latest decision before it was paid out.",
            *without_drift(found),
        )
        html.write_text(page(f"Model monitoring, {as_of}", notes, parts), encoding="utf-8")
    return any(one.light is Light.RED for card in found for one in card.figures)


def rows(figures: Sequence[Watched]) -> list[tuple[str, ...]]:
    """Return one row per figure, as texts."""
    return [
        (one.name, f"{one.figure:.3f}", _bound(one), str(one.light), one.note) for one in figures
    ]


def _bound(one: Watched) -> str:
    return "" if one.bound is None else f"{one.bound:.3f}"


def without_drift(cards: Sequence[CardWatched]) -> list[str]:
    """Say of which cards nothing tells who they were trained on, so that drift is not known."""
    return [
        f"{card.version} does not say who it was trained on: its drift is not known."
        for card in cards
        if not any(one.name.startswith("psi ") for one in card.figures)
    ]


def card_parts(card: CardWatched, rules: MonitoringRules) -> Iterator[Chart | Table]:
    """Yield what a page shows of one card."""
    yield Table(card.version, HEAD, list(rows(card.figures)))
    quarters = [one.name for one in card.periods]
    drifts = [{one.name: one.figure for one in period.drift} for period in card.periods]
    names = sorted({name for period in drifts for name in period})
    lines = [Line(name.removeprefix("psi "), [p.get(name) for p in drifts]) for name in names]
    title = f"{card.version}: stability index (PSI) of who applied, by quarter"
    yield Chart(title, quarters, lines, (rules.psi_amber, rules.psi_red))
    ended = [{one.name: one.figure for one in period.performance} for period in card.periods]
    for title, figures in (
        ("AUC and KS of loans paid out, by quarter", ("auc", "ks")),
        ("Brier score, by quarter", ("brier",)),
        ("calibration, by quarter", ("calibration slope", "calibration intercept")),
    ):
        lines = [Line(name, [p.get(name) for p in ended]) for name in figures]
        yield Chart(f"{card.version}: {title}", quarters, lines)
    groups = card.calibration
    labels = [f"{one.said:.1%}" for one in groups]
    seen = Line("turned bad", [one.seen for one in groups])
    said = Line("was said", [one.said for one in groups])
    yield Chart(f"{card.version}: what was said and what came", labels, (seen, said), percent=True)
