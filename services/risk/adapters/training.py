"""Train the scorecard: weight of evidence per class, logistic regression over it, then points."""

from __future__ import annotations

import csv
import random
from bisect import bisect_right
from collections.abc import Sequence
from math import exp, log
from pathlib import Path

from services.risk.domain.scorecard import Bin, Characteristic, Scorecard

CUTS: dict[str, tuple[int, ...]] = {
    "duration_in_month": (9, 16, 25, 37),
    "credit_amount": (1400, 4000, 7000),
}
"""Class bounds of the numeric attributes, set by hand."""

TEXTS = {
    "status_of_existing_checking_account": ("Balance of the checking account", "支票账户余额"),
    "duration_in_month": ("Term of the loan", "贷款期限"),
    "credit_history": ("Credit history", "信用记录"),
    "purpose": ("Purpose of the loan", "贷款用途"),
    "credit_amount": ("Amount of the loan", "贷款金额"),
    "savings_account_and_bonds": ("Savings", "储蓄"),
    "present_employment_since": ("Time in the present job", "现职年限"),
    "installment_rate_in_percentage_of_disposable_income": ("Instalment to income", "月供收入比"),
    "other_debtors_or_guarantors": ("Guarantor or co-borrower", "担保人或共同借款人"),
    "property": ("Property", "财产"),
    "other_installment_plans": ("Other instalment plans", "其他分期"),
    "housing": ("Housing", "住房"),
}
"""The attributes used; sex, personal status, age and nationality are left out on purpose."""

SMOOTHING, RIDGE, STEPS = 0.5, 1.0, 12
ANCHOR_POINTS, ANCHOR_ODDS, POINTS_TO_DOUBLE = 600, 20, 20
Rows = list[dict[str, str]]
Evidence = dict[str, dict[str, float]]


def read_rows(path: Path) -> Rows:
    """Return the applications of a file, one dict per line."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def class_of(name: str, value: str) -> str:
    """Return the class of a value: itself, or the number of cuts at or below it."""
    return str(bisect_right(CUTS[name], int(value))) if name in CUTS else value


def weigh(rows: Rows) -> Evidence:
    """Return ln(share of goods / share of bads) per attribute and class, smoothed."""
    goods = sum(is_good(row) for row in rows)
    evidence: Evidence = {}
    for name in TEXTS:
        counts: dict[str, list[float]] = {}
        for row in rows:
            pair = counts.setdefault(class_of(name, row[name]), [SMOOTHING, SMOOTHING])
            pair[0 if is_good(row) else 1] += 1
        bads = len(rows) - goods
        evidence[name] = {c: log(g / goods / (b / bads)) for c, (g, b) in counts.items()}
    return evidence


def is_good(row: dict[str, str]) -> bool:
    """Say whether the loan was repaid."""
    return row["creditability"] == "good"


def features(rows: Rows, evidence: Evidence) -> list[list[float]]:
    """Return one and the weights of evidence of each row; 0 for a class never seen."""
    return [[1.0, *(evidence[n].get(class_of(n, row[n]), 0.0) for n in TEXTS)] for row in rows]


def fit(x: list[list[float]], y: Sequence[bool]) -> list[float]:
    """Return the coefficients of a ridge logistic regression by Newton's method."""
    width = len(x[0])
    beta = [0.0] * width
    for _ in range(STEPS):
        gradient = [-RIDGE * b for b in beta]
        hessian = [[RIDGE if i == j else 0.0 for j in range(width)] for i in range(width)]
        for row, good in zip(x, y, strict=True):
            p = 1 / (1 + exp(-sum(b * v for b, v in zip(beta, row, strict=True))))
            for i, v in enumerate(row):
                gradient[i] += (good - p) * v
                for j in range(width):
                    hessian[i][j] += p * (1 - p) * v * row[j]
        beta = [b + d for b, d in zip(beta, solve(hessian, gradient), strict=True)]
    return beta


def solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Solve a linear system by Gaussian elimination with pivoting."""
    rows = [[*row, r] for row, r in zip(matrix, right, strict=True)]
    n = len(rows)
    for k in range(n):
        pivot = max(range(k, n), key=lambda i: abs(rows[i][k]))
        rows[k], rows[pivot] = rows[pivot], rows[k]
        for i in range(k + 1, n):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[k], strict=True)]
    found = [0.0] * n
    for k in reversed(range(n)):
        found[k] = (rows[k][n] - sum(rows[k][j] * found[j] for j in range(k + 1, n))) / rows[k][k]
    return found


def auc(scores: Sequence[float], good: Sequence[bool]) -> float:
    """Return the chance that a good scores above a bad; ties count half."""
    goods = [s for s, g in zip(scores, good, strict=True) if g]
    bads = sorted(s for s, g in zip(scores, good, strict=True) if not g)
    wins = sum(bisect_right(bads, s) - 0.5 * bads.count(s) for s in goods)
    return wins / (len(goods) * len(bads))


def cross_validate(rows: Rows, repeats: int = 2, folds: int = 5) -> list[float]:
    """Return the AUC on each held-out fold; weights and coefficients from the others only."""
    found = []
    for seed in range(repeats):
        order = list(range(len(rows)))
        random.Random(seed).shuffle(order)
        for fold in range(folds):
            held = set(order[fold::folds])
            train = [row for i, row in enumerate(rows) if i not in held]
            test = [row for i, row in enumerate(rows) if i in held]
            evidence = weigh(train)
            beta = fit(features(train, evidence), [is_good(row) for row in train])
            scores = [
                sum(b * v for b, v in zip(beta, row, strict=True))
                for row in features(test, evidence)
            ]
            found.append(auc(scores, [is_good(row) for row in test]))
    return found


def train(rows: Rows, version: str) -> Scorecard:
    """Train a card on all rows; the same rows give the same card."""
    evidence = weigh(rows)
    beta = fit(features(rows, evidence), [is_good(row) for row in rows])
    factor = POINTS_TO_DOUBLE / log(2)
    items = []
    for weight, (name, (text_en, text_zh)) in zip(beta[1:], TEXTS.items(), strict=True):
        points = {c: round(factor * weight * e) for c, e in sorted(evidence[name].items())}
        items.append(Characteristic(name, text_en, text_zh, _bins(name, points), 0))
    base = round(ANCHOR_POINTS + factor * (beta[0] - log(ANCHOR_ODDS)))
    return Scorecard(
        version=version,
        base_points=base,
        anchor_points=ANCHOR_POINTS,
        anchor_odds=ANCHOR_ODDS,
        points_to_double=POINTS_TO_DOUBLE,
        characteristics=tuple(items),
    )


def _bins(name: str, points: dict[str, int]) -> tuple[Bin, ...]:
    if name not in CUTS:
        return tuple(Bin(p, values=(value,)) for value, p in points.items())
    bounds: list[int | None] = [*CUTS[name], None]
    return tuple(Bin(points[str(k)], below=bound) for k, bound in enumerate(bounds))
