"""One protocol for every model and every set: repeated stratified folds, paired differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from statistics import mean, stdev, variance

import numpy as np
from numpy.typing import NDArray

from services.risk.domain.boosted_trees import probability_bad
from services.risk.domain.discrimination import Quality, quality
from services.risk.domain.scorecard import probability_of_default, score
from services.risk.training.challenger import train_trees
from services.risk.training.champion import train_scorecard
from services.risk.training.datasets import Dataset

FOLDS = 5
STUDENT_975 = {
    **{1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262},
    **{10: 2.228, 11: 2.201, 12: 2.179, 13: 2.160, 14: 2.145, 15: 2.131, 16: 2.120, 17: 2.110},
    **{18: 2.101, 19: 2.093},
}
"""97.5 % quantiles of Student's t, by degrees of freedom; 20 folds are the most tried."""
FIGURES = ("auc", "ks", "brier", "calibration_error", "in_the_large")
Model = Callable[[dict[str, str]], float]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over folds, its spread, and a 95 % interval that knows folds share their rows."""

    mean: float
    sd: float
    low: float
    high: float

    def __str__(self) -> str:
        """Return such as "0.7871 ± 0.0367 [0.7477, 0.8265]"."""
        return f"{self.mean:.4f} ± {self.sd:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True, slots=True)
class Trial:
    """Held-out results of one model: a quality per fold, and each application's probabilities."""

    name: str
    qualities: tuple[Quality, ...]
    probabilities: NDArray[np.float64]

    def interval(self, figure: str) -> Interval:
        """Return one figure over all folds."""
        return interval([getattr(one, figure) for one in self.qualities])


def champion(data: Dataset) -> Model:
    """Train the scorecard; its probabilities are those of the rounded points, as served."""
    card = train_scorecard(data, "trial")
    return lambda given: float(probability_of_default(card, score(card, given)[0]))


def challenger(data: Dataset) -> Model:
    """Train the trees, as served."""
    trees = train_trees(data, "trial")
    return lambda given: probability_bad(trees, given)


MODELS: dict[str, Callable[[Dataset], Model]] = {"champion": champion, "challenger": challenger}


def repeats_of(data: Dataset) -> int:
    """Return how often a set is folded: four times below 6,000 applications, else three times."""
    return 4 if len(data.bad) < 6_000 else 3


def try_model(data: Dataset, name: str, train: Callable[[Dataset], Model]) -> Trial:
    """Measure one model; every choice, classes included, is made on the other folds only."""
    repeats = repeats_of(data)
    applicants = data.applicants()
    said = np.zeros((repeats, len(applicants)))
    found = []
    for repeat in range(repeats):
        folds = stratified(data.bad, seed=repeat)
        for fold in range(FOLDS):
            model = train(data.take(np.flatnonzero(folds != fold)))
            held = np.flatnonzero(folds == fold)
            said[repeat, held] = [model(applicants[row]) for row in held]
            found.append(quality(said[repeat, held].tolist(), data.bad[held].tolist()))
    return Trial(name, tuple(found), said.mean(axis=0))


def stratified(bad: NDArray[np.bool_], seed: int) -> NDArray[np.intp]:
    """Return the fold of each application: as many bads in each, the order from the seed."""
    chance, folds = np.random.default_rng(seed), np.empty(len(bad), dtype=np.intp)
    for outcome in (False, True):
        rows = np.flatnonzero(bad == outcome)
        chance.shuffle(rows)
        folds[rows] = np.arange(len(rows)) % FOLDS
    return folds


def interval(found: list[float]) -> Interval:
    """
    Return mean, spread and interval of a figure over folds.

    Source:
        Nadeau and Bengio, 2003: variance x (1 / n + test / train), for folds overlap; Student's t
        with n - 1 degrees of freedom.
    """
    error = sqrt(variance(found) * (1 / len(found) + 1 / (FOLDS - 1)))
    reach = STUDENT_975[min(len(found) - 1, max(STUDENT_975))] * error
    middle = mean(found)
    return Interval(middle, stdev(found), middle - reach, middle + reach)


def paired(one: Trial, other: Trial, figure: str) -> Interval:
    """Return how much more the second model has of a figure, fold by fold."""
    pairs = zip(one.qualities, other.qualities, strict=True)
    return interval([getattr(b, figure) - getattr(a, figure) for a, b in pairs])
