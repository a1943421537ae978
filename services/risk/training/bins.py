"""Classes of one attribute by a small tree, risk rising or falling through them without a turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.risk.training.datasets import Column, Dataset, Floats, numbers

LEAVES_MAX, LEAF_ROWS_MIN, LEAF_SHARE_MIN = 8, 40, 0.005
CANDIDATES = 64
SMOOTHING = 0.5
MISSING = ""


@dataclass(frozen=True, slots=True)
class Classes:
    """How one attribute is classed: upper bounds of numbers, or its values; and the evidence."""

    column: Column
    bounds: tuple[float, ...]
    values: tuple[str, ...]
    evidence: dict[str, float]
    shares: dict[str, float]

    def name_of(self, values: NDArray[np.str_]) -> NDArray[np.str_]:
        """Return the class of each value: the number of the interval, the value, or missing."""
        if self.column.numeric:
            return _interval(numbers(values), self.bounds)
        known = np.isin(values, self.values)
        return np.where(known, values, MISSING)

    def weigh(self, values: NDArray[np.str_]) -> Floats:
        """Return the weight of evidence of each value; 0, no evidence, for what was never seen."""
        names = self.name_of(values)
        return np.array([self.evidence.get(name, 0.0) for name in names.tolist()])


def classes_of(data: Dataset, column: Column) -> Classes:
    """Class one attribute on the rows given, and on nothing else."""
    values = data.values[column.name]
    if column.numeric:
        bounds = _cuts(numbers(values), data.bad, column.rises)
        names = _interval(numbers(values), bounds)
        kinds: tuple[str, ...] = ()
    else:
        bounds, names = (), values
        kinds = tuple(sorted(set(values.tolist()) - {MISSING}))
    evidence, shares = _evidence(names, data.bad)
    return Classes(column, bounds, kinds, evidence, shares)


def _interval(x: Floats, bounds: Sequence[float]) -> NDArray[np.str_]:
    names = np.searchsorted(np.array(bounds), x, side="right").astype(str)
    return np.where(np.isnan(x), MISSING, names)


def _evidence(
    names: NDArray[np.str_], bad: NDArray[np.bool_]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return ln(share of goods / share of bads), smoothed, and the share of rows, per class."""
    kinds, place = np.unique(names, return_inverse=True)
    bads = np.bincount(place, weights=bad, minlength=len(kinds))
    goods = np.bincount(place, minlength=len(kinds)) - bads
    odds = (bad.size - bad.sum()) / bad.sum()
    weight = np.log((goods + SMOOTHING * odds) / (bads + SMOOTHING) / odds)
    share = (goods + bads) / bad.size
    return (
        dict(zip(kinds.tolist(), weight.tolist(), strict=True)),
        dict(zip(kinds.tolist(), share.tolist(), strict=True)),
    )


def _cuts(x: Floats, bad: NDArray[np.bool_], rises: int) -> tuple[float, ...]:
    """
    Cut numbers where it tells most, best first.

    Args:
        x: Numbers; NaN is no part of any interval.
        bad: Outcomes, as many.
        rises: +1, -1, or 0 for whichever direction the data take.
    Returns:
        Upper bounds in order, at most LEAVES_MAX - 1.
    """
    there = ~np.isnan(x)
    x, bad = x[there], bad[there]
    candidates = np.unique(x)[1:]
    if len(candidates) > CANDIDATES:
        steps = np.linspace(0, 1, CANDIDATES + 2)[1:-1]
        candidates = np.unique(np.quantile(x, steps, method="higher"))
    least = max(LEAF_ROWS_MIN, LEAF_SHARE_MIN * len(x))
    bounds: list[float] = []
    while len(bounds) < LEAVES_MAX - 1:
        best, gain = None, _impurity(x, bad, bounds) * (1 - 1e-9)
        for cut in candidates.tolist():
            if cut in bounds:
                continue
            tried = sorted([*bounds, cut])
            sizes, rates = _rates(x, bad, tried)
            if sizes.min() < least or not _steady(rates, rises):
                continue
            impurity = float((sizes * rates * (1 - rates)).sum())
            if impurity < gain - 0.15:
                best, gain = cut, impurity
        if best is None:
            break
        bounds = sorted([*bounds, best])
    return tuple(bounds)


def _rates(x: Floats, bad: NDArray[np.bool_], bounds: Sequence[float]) -> tuple[Floats, Floats]:
    place = np.searchsorted(np.array(bounds), x, side="right")
    sizes = np.bincount(place, minlength=len(bounds) + 1).astype(float)
    bads = np.bincount(place, weights=bad, minlength=len(bounds) + 1)
    return sizes, bads / np.maximum(sizes, 1)


def _impurity(x: Floats, bad: NDArray[np.bool_], bounds: Sequence[float]) -> float:
    sizes, rates = _rates(x, bad, bounds)
    return float((sizes * rates * (1 - rates)).sum())


def _steady(rates: Floats, rises: int) -> bool:
    steps = np.diff(rates)
    up, down = bool((steps >= 0).all()), bool((steps <= 0).all())
    return up if rises > 0 else down if rises < 0 else up or down
