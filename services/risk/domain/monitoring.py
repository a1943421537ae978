"""Whether a model in use still works: who applies, how they are told apart, what was promised."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from math import exp, log, sqrt
from statistics import NormalDist

import msgspec

from services.risk.domain.discrimination import OneOutcomeOnly, levelled, quality
from services.risk.domain.scorecard import Bin, Characteristic, bin_of
from services.risk.domain.stability import population_stability_index

STEPS, PROBABILITY_LEAST = 30, 1e-6
GROUPS_MAX, GROUP_LOANS_MIN = 10, 20


class Light(StrEnum):
    """Nothing to do, look at it, act; unjudged is what has no bound, or too few bads."""

    UNJUDGED = "UNJUDGED"
    GREEN = "GREEN"
    AMBER = "AMBER"
    RED = "RED"


class MonitoringRules(msgspec.Struct, frozen=True, kw_only=True):
    """
    One version of the bounds; from `amber` on a figure is looked at, from `red` on acted on.

    What was said less what was seen is bounded in standard errors of an honest card; None bounds
    it by nothing.
    """

    version: str
    window_months: int
    psi_amber: float
    psi_red: float
    auc_fall_amber: float
    auc_fall_red: float
    slope_gap_amber: float
    slope_gap_red: float
    bads_min: int
    auc_expected: dict[str, float]
    said_errors_amber: float | None = None
    said_errors_red: float | None = None


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """One figure, what it is held against, None for nothing, and what that means."""

    name: str
    figure: float
    bound: float | None
    light: Light
    note: str = ""


def psi_critical(expected: int, actual: int, bins: int, confidence: float = 0.95) -> float:
    """
    Return the index that two samples of one population exceed only by chance, 5 % of the time.

    Args:
        expected: Size of the first sample.
        actual: Size of the second.
        bins: Bins that both were counted in.
        confidence: One less the chance of a false alarm.
    Source:
        Yurdakul 2018: the index is near (1/n + 1/m) times a chi-squared of bins - 1 degrees;
        its quantile by Wilson and Hilferty, 1931.
    """
    degrees = bins - 1
    spread = 2 / (9 * degrees)
    quantile = degrees * (1 - spread + NormalDist().inv_cdf(confidence) * sqrt(spread)) ** 3
    return (1 / expected + 1 / actual) * quantile


def drift(
    item: Characteristic, values: Sequence[str], trained_on: int, rules: MonitoringRules
) -> Watched:
    """
    Compare who applies now with whom a card was trained on, in one attribute.

    An index below its critical value is green whatever its size: so few would differ by chance.
    """
    places: dict[Bin | None, int] = {one: k for k, one in enumerate(item.bins)}
    counts = [0] * (len(item.bins) + 1)
    for value in values:
        counts[places.get(bin_of(item, value), len(item.bins))] += 1
    shares = [one.share for one in item.bins]
    expected = [*(_number(share) for share in shares), max(0.0, 1 - _number(sum(shares)))]
    index = population_stability_index(expected, counts)
    critical = psi_critical(trained_on, max(1, len(values)), len(counts))
    light = Light.GREEN if index < critical else _light(index, rules.psi_amber, rules.psi_red)
    note = f"n {len(values)}, by chance up to {critical:.3f}"
    return Watched(
        name=f"psi {item.name}", figure=index, bound=rules.psi_red, light=light, note=note
    )


def _number(share: object) -> float:
    return msgspec.convert(str(share), float, strict=False)


def _light(figure: float, amber: float, red: float) -> Light:
    return Light.RED if figure >= red else Light.AMBER if figure >= amber else Light.GREEN


def performance(
    probabilities: Sequence[float], bad: Sequence[bool], auc_before: float, rules: MonitoringRules
) -> list[Watched]:
    """
    Hold outcomes against what was said of them: discrimination and calibration.

    Too few bads say nothing: the figures are shown, unjudged, and the note says so.
    """
    bads = sum(bad)
    note = f"n {len(bad)}, {bads} bad"
    few = bads < rules.bads_min
    try:
        now = quality(probabilities, bad)
    except OneOutcomeOnly:
        return []
    intercept, slope = calibration(probabilities, bad)
    fall, gap = auc_before - now.auc, abs(slope - 1)
    lights = (
        _light(fall, rules.auc_fall_amber, rules.auc_fall_red),
        _light(gap, rules.slope_gap_amber, rules.slope_gap_red),
    )
    if few:
        lights, note = (Light.UNJUDGED, Light.UNJUDGED), f"{note}: too few to judge"
    large = _in_the_large(probabilities, now.in_the_large, few, note, rules)
    judged = (("auc", now.auc, auc_before, lights[0]), ("calibration slope", slope, 1.0, lights[1]))
    others = (("ks", now.ks), ("brier", now.brier), ("calibration intercept", intercept))
    return [
        *(
            Watched(name=name, figure=figure, bound=bound, light=light, note=note)
            for name, figure, bound, light in judged
        ),
        large,
        *(
            Watched(name=name, figure=figure, bound=None, light=Light.UNJUDGED, note=note)
            for name, figure in others
        ),
    ]


def _in_the_large(
    probabilities: Sequence[float], more: float, few: bool, note: str, rules: MonitoringRules
) -> Watched:
    """Hold the mean of what was said against the share that came bad, and against chance."""
    error = sqrt(sum(p * (1 - p) for p in probabilities)) / len(probabilities)
    amber, red = rules.said_errors_amber, rules.said_errors_red
    if amber is None or red is None:
        bound, light = None, Light.UNJUDGED
    else:
        bound, light = red * error, _light(abs(more), amber * error, red * error)
    light = Light.UNJUDGED if few else light
    return Watched(name="said less seen", figure=more, bound=bound, light=light, note=note)


def calibration(probabilities: Sequence[float], bad: Sequence[bool]) -> tuple[float, float]:
    """
    Return intercept and slope of the log odds seen over the log odds said; 0 and 1 are perfect.

    Source:
        Cox 1958; a logistic regression with one covariate, by Newton's method.
    """
    said = [_log_odds(p) for p in probabilities]
    intercept, slope = 0.0, 1.0
    for _ in range(STEPS):
        g0 = g1 = h00 = h01 = h11 = 0.0
        for x, outcome in zip(said, bad, strict=True):
            p = 1 / (1 + exp(-max(-30.0, min(30.0, intercept + slope * x))))
            weight, gap = p * (1 - p), outcome - p
            g0, g1 = g0 + gap, g1 + gap * x
            h00, h01, h11 = h00 + weight, h01 + weight * x, h11 + weight * x * x
        determinant = h00 * h11 - h01 * h01
        if determinant < 1e-12:
            break
        step0 = (g0 * h11 - g1 * h01) / determinant
        step1 = (g1 * h00 - g0 * h01) / determinant
        intercept, slope = intercept + step0, slope + step1
        if abs(step0) + abs(step1) < 1e-10:
            break
    return intercept, slope


def _log_odds(probability: float) -> float:
    p = min(1 - PROBABILITY_LEAST, max(PROBABILITY_LEAST, probability))
    return log(p / (1 - p))


class Calibrated(msgspec.Struct, frozen=True, kw_only=True):
    """Loans of which about the same was said: how many, what was said and what came, means."""

    loans: int
    said: float
    seen: float


def calibrated(probabilities: Sequence[float], bad: Sequence[bool]) -> tuple[Calibrated, ...]:
    """Return loans in up to ten groups of the same size, what was said rising."""
    ordered = levelled(sorted(zip(probabilities, bad, strict=True)))
    groups = min(GROUPS_MAX, len(ordered) // GROUP_LOANS_MIN)
    edges = [len(ordered) * k // groups for k in range(groups + 1)] if groups else []
    return tuple(
        Calibrated(
            loans=end - start,
            said=sum(said for said, _ in ordered[start:end]) / (end - start),
            seen=sum(was for _, was in ordered[start:end]) / (end - start),
        )
        for start, end in pairwise(edges)
    )
