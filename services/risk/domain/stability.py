"""Whether a population still looks like the one that a model was built on."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from shared.kernel.errors import InvalidArgument

LEAST_SHARE = 1e-6
"""An empty bin counts as this share: stated, because the index depends on it."""


class BinsDiffer(InvalidArgument):
    """Both populations need the same bins."""


def population_stability_index(expected: Sequence[float], actual: Sequence[float]) -> float:
    """
    Return the population stability index of two binned populations.

    Args:
        expected: Counts or shares per bin when the model was built.
        actual: Counts or shares per bin now, same bins.
    Raises:
        BinsDiffer: another number of bins, or an empty population.
    Source:
        Siddiqi, Credit Risk Scorecards: sum of (a - e) ln(a / e); read with the sample size.
    """
    if len(expected) != len(actual) or sum(expected) <= 0 or sum(actual) <= 0:
        raise BinsDiffer("the bins differ", field="actual", expected="as many bins, not empty")
    was = [max(x / sum(expected), LEAST_SHARE) for x in expected]
    now = [max(x / sum(actual), LEAST_SHARE) for x in actual]
    return sum((a - e) * log(a / e) for e, a in zip(was, now, strict=True))
