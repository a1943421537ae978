"""Regulatory capital: the risk weight of a loan under the internal ratings based approach."""

from __future__ import annotations

from enum import StrEnum
from math import exp, log, sqrt
from statistics import NormalDist

from shared.kernel.errors import InvalidArgument

_NORMAL = NormalDist()
_TAIL = _NORMAL.inv_cdf(0.999)
"""The state of the economy that is worse in one year of a thousand."""


class AssetClass(StrEnum):
    """The exposure classes with a formula of their own."""

    CORPORATE = "corporate"
    MORTGAGE = "mortgage"
    QUALIFYING_REVOLVING = "qrre"
    OTHER_RETAIL = "retail"


class ParameterOutOfRange(InvalidArgument):
    """A probability lies outside 0 to 1, or a maturity outside 1 to 5 years."""


def correlation(kind: AssetClass, pd: float, turnover_eur_m: float | None = None) -> float:
    """
    Return the asset correlation, 0 to 1.

    Args:
        kind: The exposure class.
        pd: Probability of default in a year, above 0 and below 1.
        turnover_eur_m: Yearly sales of a smaller firm, millions of euros; corporate only.
    Source:
        Basel Framework CRE31.5, 31.8 (firms under 50 million), 31.22 to 31.24 (retail).
    """
    if kind is AssetClass.MORTGAGE:
        return 0.15
    if kind is AssetClass.QUALIFYING_REVOLVING:
        return 0.04
    low, high, k = (0.03, 0.16, 35) if kind is AssetClass.OTHER_RETAIL else (0.12, 0.24, 50)
    weight = (1 - exp(-k * pd)) / (1 - exp(-k))
    found = low * weight + high * (1 - weight)
    if kind is AssetClass.CORPORATE and turnover_eur_m is not None and turnover_eur_m < 50:
        found -= 0.04 * (1 - (max(turnover_eur_m, 5) - 5) / 45)
    return found


def risk_weight(
    kind: AssetClass,
    pd: float,
    lgd: float,
    *,
    maturity_years: float = 2.5,
    turnover_eur_m: float | None = None,
) -> float:
    """
    Return the risk weight of an exposure not in default, a fraction: 0.1444 is 14.44 %.

    Args:
        kind: The exposure class.
        pd: Probability of default in a year, above 0 and below 1; floors are the caller's.
        lgd: Loss given default in a downturn, 0 to 1.
        maturity_years: Effective maturity, 1 to 5; corporate only.
        turnover_eur_m: Yearly sales of a smaller firm, millions of euros; corporate only.
    Raises:
        ParameterOutOfRange: a probability or maturity outside its range.
    Source:
        CRE31.5, 31.14; the 1.06 of Basel II, paragraph 14, is not applied.
    """
    if not (0 < pd < 1 and 0 <= lgd <= 1 and 1 <= maturity_years <= 5):
        raise ParameterOutOfRange("outside its range", field="pd", expected="0 < pd < 1, lgd 0..1")
    r = correlation(kind, pd, turnover_eur_m)
    stressed = _NORMAL.cdf((_NORMAL.inv_cdf(pd) + sqrt(r) * _TAIL) / sqrt(1 - r))
    capital = lgd * (stressed - pd)
    if kind is AssetClass.CORPORATE:
        slope = (0.11852 - 0.05478 * log(pd)) ** 2
        capital *= (1 + (maturity_years - 2.5) * slope) / (1 - 1.5 * slope)
    return 12.5 * capital
