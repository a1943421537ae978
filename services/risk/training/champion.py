"""Train the champion: weight of evidence, logistic regression over it, points."""

from __future__ import annotations

from decimal import Decimal
from math import log

import numpy as np

from services.risk.domain.scorecard import Bin, Characteristic, Scorecard
from services.risk.training.bins import MISSING, Classes, classes_of
from services.risk.training.datasets import Dataset, Floats

RIDGE, STEPS = 1.0, 25
ANCHOR_POINTS, ANCHOR_ODDS, POINTS_TO_DOUBLE = 600, 20, 20


def train_scorecard(data: Dataset, version: str) -> Scorecard:
    """Train a card on all rows given; the same rows give the same card."""
    classes = [classes_of(data, column) for column in data.columns]
    x = np.column_stack([one.weigh(data.values[one.column.name]) for one in classes])
    beta = fit(x, ~data.bad)
    factor = POINTS_TO_DOUBLE / log(2)
    items = [_characteristic(one, factor * b) for one, b in zip(classes, beta[1:], strict=True)]
    base = ANCHOR_POINTS + factor * (beta[0] - log(ANCHOR_ODDS))
    return Scorecard(
        version=version,
        base_points=round(float(base)),
        anchor_points=ANCHOR_POINTS,
        anchor_odds=ANCHOR_ODDS,
        points_to_double=POINTS_TO_DOUBLE,
        characteristics=tuple(items),
        origin=data.origin(),
    )


def fit(x: Floats, good: np.ndarray) -> Floats:
    """
    Return intercept and coefficients of a ridge logistic regression, by Newton's method.

    No coefficient is below zero: more evidence for good never costs points.
    """
    kept = list(range(x.shape[1]))
    while True:
        beta = _newton(x[:, kept], good)
        wrong = [k for k, b in zip(kept, beta[1:], strict=True) if b < 0]
        if not wrong:
            break
        kept = [k for k in kept if k not in wrong]
    found = np.zeros(x.shape[1] + 1)
    found[0] = beta[0]
    found[[k + 1 for k in kept]] = beta[1:]
    return found


def _newton(x: Floats, good: np.ndarray) -> Floats:
    x = np.column_stack([np.ones(len(x)), x])
    penalty = np.full(x.shape[1], RIDGE)
    penalty[0] = 0.0
    beta = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-x @ beta))
        slope = x.T @ (good - p) - penalty * beta
        bend = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(bend, slope)
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    return beta


def _characteristic(classes: Classes, factor: float) -> Characteristic:
    column = classes.column
    points = {name: round(factor * e) for name, e in classes.evidence.items()}
    share = {name: Decimal(f"{s:.4f}") for name, s in classes.shares.items()}
    if column.numeric:
        bounds = [*(Decimal(repr(b)).normalize() for b in classes.bounds), None]
        bins = tuple(
            Bin(points.get(str(k), 0), below=bound, share=share.get(str(k), Decimal(0)))
            for k, bound in enumerate(bounds)
        )
    else:
        bins = tuple(Bin(points[v], values=(v,), share=share[v]) for v in classes.values)
    missing = points.get(MISSING, 0)
    return Characteristic(column.name, column.text_en, column.text_zh, bins, missing)
