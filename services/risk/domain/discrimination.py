"""How well probabilities told good from bad, and whether they meant what they said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

import msgspec

from shared.kernel.errors import InvalidArgument


class OneOutcomeOnly(InvalidArgument):
    """Goods and bads are both needed to compare them."""


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """
    Figures of one model on one sample of applications with known outcome.

    `in_the_large` is how much more was said than seen: the mean probability less the share of bads.
    """

    count: int
    bads: int
    auc: float
    ks: float
    brier: float
    calibration_error: float
    in_the_large: float


def quality(probabilities: Sequence[float], bad: Sequence[bool], bins: int = 10) -> Quality:
    """
    Measure a model.

    Args:
        probabilities: Of being bad, 0 to 1, one per application.
        bad: Outcomes, as many.
        bins: Bands of equal size for the calibration error.
    Raises:
        OneOutcomeOnly: all are good, or all are bad.
    """
    pairs = sorted(zip(probabilities, map(int, bad), strict=True))
    area, distance = _curves(pairs)
    return Quality(
        count=len(pairs),
        bads=sum(b for _, b in pairs),
        auc=area,
        ks=distance,
        brier=sum((p - b) ** 2 for p, b in pairs) / len(pairs),
        calibration_error=calibration_error(pairs, bins),
        in_the_large=sum(p - b for p, b in pairs) / len(pairs),
    )


def _curves(pairs: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """
    Return the area under the ROC curve, ties counted half, and the KS distance.

    Source:
        Kolmogorov-Smirnov, two samples: the largest distance of the two distributions, whichever
        lies above.
    """
    bads = sum(b for _, b in pairs)
    goods = len(pairs) - bads
    if not goods or not bads:
        raise OneOutcomeOnly("no bads, or no goods", field="bad", expected="both outcomes")
    wins = 0.0
    goods_below = bads_below = 0
    distance = 0.0
    for _, tied in groupby(pairs, key=lambda pair: pair[0]):
        outcomes = [b for _, b in tied]
        bads_here = sum(outcomes)
        goods_here = len(outcomes) - bads_here
        wins += bads_here * (goods_below + goods_here / 2)
        goods_below += goods_here
        bads_below += bads_here
        distance = max(distance, abs(goods_below / goods - bads_below / bads))
    return wins / (goods * bads), distance


def calibration_error(pairs: Sequence[tuple[float, int]], bins: int = 10) -> float:
    """
    Return the expected calibration error: the mean gap between said and seen, weighted by size.

    Args:
        pairs: Probability and outcome, in order of probability.
        bins: Bands of equal size.
    """
    edges = [len(pairs) * k // bins for k in range(bins + 1)]
    level = levelled(pairs)
    gaps = (abs(sum(p - b for p, b in level[start:end])) for start, end in pairwise(edges))
    return sum(gaps) / len(pairs)


def levelled(pairs: Iterable[tuple[float, int]]) -> list[tuple[float, float]]:
    """
    Return pairs, in order of probability, each with the mean outcome of those of the same.

    Where a band ends among them is chance: none of them is nearer to it than the others.
    """
    found: list[tuple[float, float]] = []
    for said, tied in groupby(pairs, key=lambda pair: pair[0]):
        outcomes = [outcome for _, outcome in tied]
        found += [(said, sum(outcomes) / len(outcomes))] * len(outcomes)
    return found
