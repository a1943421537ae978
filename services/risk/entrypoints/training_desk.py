"""Training and trying models, from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import typer

from services.risk.adapters.artefacts import POPULATIONS, read_models
from services.risk.adapters.report_page import page
from services.risk.domain.population import population_of
from services.risk.entrypoints.evaluation_page import evaluation_parts
from services.risk.training.challenger import train_trees
from services.risk.training.champion import train_scorecard
from services.risk.training.datasets import DATASETS, DataMissing, Dataset
from services.risk.training.model_card import FIGURES_HEAD, figures_rows, markdown, model_card
from services.risk.training.protocol import MODELS, Trial, paired, repeats_of, try_model

VERSIONS = {"german": ("german-woe/2", "german-trees/1"), "bloan": ("bloan-woe/2", "bloan-trees/2")}
APPROVED_BELOW = {"german": 0.48, "bloan": 0.20}
"""The cut-off at which groups are compared: the policy's for german, a common one for bloan."""

BARS = {
    # set: figure, at least or at most
    "german": {"auc": (0.785, True), "brier": (0.168, False), "in_the_large": (0.01, False)},
    "bloan": {
        **{"auc": (0.868, True), "brier": (0.0497, False)},
        **{"calibration_error": (0.015, False), "in_the_large": (0.0025, False)},
    },
}
APART_MAX, NOBODY = 0.01, "reached by none"
NOTES = (
    "Repeated stratified folds, the same for every model; classes are made on the other folds. "
    "Figures are means over folds, with spread and 95 % interval.",
    "Plots and groups are of each application's mean held-out probability over the repeats.",
)


def train(name: str, folder: Path) -> None:
    """Write both models and their card."""
    data = _load(name)
    trials = [try_model(data, model, how) for model, how in MODELS.items()]
    champion, challenger = VERSIONS[name]
    artefacts = (train_scorecard(data, champion), train_trees(data, challenger))
    for artefact in artefacts:
        path = folder / f"{artefact.version.replace('/', '-')}.json"
        indent = 1 if artefact is artefacts[0] else 0
        path.write_bytes(msgspec.json.format(msgspec.json.encode(artefact), indent=indent) + b"\n")
        typer.echo(f"wrote {path}")
    card = model_card(data, VERSIONS[name], trials, APPROVED_BELOW[name])
    (folder / f"{name}.md").write_text(card, encoding="utf-8")
    typer.echo(card)


def count_population(version: str, name: str, folder: Path) -> None:
    """Write whom a card was trained on, beside the card, which stays as it is."""
    data, card = _load(name), read_models(folder).card(version)
    found = population_of(card, data.origin(), data.applicants())
    path = folder / POPULATIONS / f"{version.replace('/', '-')}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    typer.echo(f"wrote {path}")


def evaluate(names: Sequence[str], html: Path | None = None) -> int:
    """Print figures and bars, and write a page if asked; 1 when every model misses a bar."""
    missed, parts = 0, []
    for name in names:
        data = _load(name)
        typer.echo(f"\n{name}: {repeats_of(data)} x 5 stratified folds, {len(data.bad):,} rows")
        served = [try_model(data, model, how) for model, how in MODELS.items()]
        everything = data.with_everything()
        compared = [
            try_model(everything, f"{model}, protected attributes too (not served)", how)
            for model, how in MODELS.items()
        ]
        rows = [*figures_rows(served), *list(figures_rows(compared))[:2]]
        for line in markdown(FIGURES_HEAD, rows):
            typer.echo(line)
        apart = paired(served[0], served[1], "auc").mean
        within = "within" if abs(apart) <= APART_MAX else "NOT within"
        typer.echo(f"champion {within} {APART_MAX} of the challenger's AUC: {apart:+.4f}")
        bars = [_bar(bar, served) for bar in BARS[name].items()]
        for bar, reached in bars:
            typer.echo(f"bar {bar}: {reached or NOBODY}")
        missed += sum(not reached for _, reached in bars)
        said = [(bar, reached or NOBODY) for bar, reached in bars]
        parts += evaluation_parts(data, served, said, APPROVED_BELOW[name])
    if html is not None:
        html.write_text(page("Models on held-out applications", NOTES, parts), encoding="utf-8")
    return 1 if missed else 0


def _bar(bar: tuple[str, tuple[float, bool]], served: Sequence[Trial]) -> tuple[str, str]:
    """Return one bar, and which served models reach it."""
    figure, (wanted, at_least) = bar
    reached = []
    for trial in served:
        # Too much said is as wrong as too little.
        found = abs(trial.interval(figure).mean)
        if (found >= wanted) if at_least else (found <= wanted):
            reached.append(trial.name)
    return f"{figure} {'≥' if at_least else '≤'} {wanted}", "; ".join(reached)


def _load(name: str) -> Dataset:
    try:
        return DATASETS[name]()
    except DataMissing as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(2) from None
