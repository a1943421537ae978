"""What a trial of models found, as tables and plots of a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from services.risk.adapters.report_page import Chart, Line, Table
from services.risk.domain.monitoring import calibrated
from services.risk.training.datasets import Dataset
from services.risk.training.model_card import (
    FAIRNESS_HEAD,
    FIGURES_HEAD,
    fairness,
    fairness_rows,
    figures_rows,
)
from services.risk.training.protocol import Trial

TURNED_AWAY = tuple(place / 20 for place in range(21))


def evaluation_parts(
    data: Dataset, trials: Sequence[Trial], bars: Sequence[tuple[str, str]], approved_below: float
) -> Iterator[Table | Chart]:
    """Yield figures, bars, how models rank, whether they mean what they say, and groups."""
    name = data.name
    yield Table(f"{name}: figures on held-out folds", FIGURES_HEAD, list(figures_rows(trials)))
    yield Table(f"{name}: bars", ("bar", "reached by"), list(bars))
    bads = [Line(one.name, bads_turned_away(one, data)) for one in trials]
    bads.append(Line("no model", TURNED_AWAY))
    labels = [f"{share:.0%}" for share in TURNED_AWAY]
    yield Chart(f"{name}: bads turned away, by goods turned away", labels, bads, percent=True)
    for trial in trials:
        found = calibrated(trial.probabilities.tolist(), data.bad.tolist())
        said = Line("was said", [group.said for group in found])
        seen = Line("turned bad", [group.seen for group in found])
        labels = [f"{group.said:.1%}" for group in found]
        title = f"{name}: what the {trial.name} said and what came"
        yield Chart(title, labels, (said, seen), percent=True)
    groups = fairness_rows(fairness(data, trials[0], approved_below))
    yield Table(f"{name}: groups under the {trials[0].name}", FAIRNESS_HEAD, list(groups))


def bads_turned_away(trial: Trial, data: Dataset) -> list[float]:
    """
    Return the share of bads at the cut-offs that turn away so many of the goods: the ROC curve.

    Applications of which the same was said are turned away together.
    """
    _, place = np.unique(-trial.probabilities, return_inverse=True)
    goods, bads = (
        np.concatenate([[0.0], np.bincount(place, weights=kind).cumsum() / kind.sum()])
        for kind in (~data.bad, data.bad)
    )
    return [float(share) for share in np.interp(TURNED_AWAY, goods, bads)]
