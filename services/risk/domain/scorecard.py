"""A scorecard is addition: points per attribute; the reasons are the points that are missing."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

import msgspec

from services.risk.domain.provenance import Origin

REASONS_MAX = 4
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,20})?", re.ASCII)


class Bin(msgspec.Struct, frozen=True):
    """One class: the values it holds, or its upper bound for numbers; its share when trained."""

    points: int
    values: tuple[str, ...] = ()
    below: Decimal | None = None
    share: Decimal = Decimal(0)


class Characteristic(msgspec.Struct, frozen=True):
    """One attribute: its classes, and what a missing value earns."""

    name: str
    text_en: str
    text_zh: str
    bins: tuple[Bin, ...]
    points_missing: int


class Scorecard(msgspec.Struct, frozen=True, kw_only=True):
    """A trained card; score = base + points; odds of good double every `points_to_double`."""

    version: str
    base_points: int
    anchor_points: int
    anchor_odds: int
    points_to_double: int
    characteristics: tuple[Characteristic, ...]
    origin: Origin | None = None


def a_number_in(value: str) -> Decimal | None:
    """Return a plain finite number such as "-12.5"; None for "", "NaN", "inf", "1e400"."""
    return Decimal(value) if _NUMBER.fullmatch(value) else None


def bin_of(characteristic: Characteristic, value: str) -> Bin | None:
    """Return the class of a value, the first that a number lies below; None if it has none."""
    number = a_number_in(value)
    for item in characteristic.bins:
        if item.values:
            matches = value in item.values
        else:
            matches = number is not None and (item.below is None or number < item.below)
        if matches:
            return item
    return None


def points_of(characteristic: Characteristic, value: str) -> int:
    """Return the points of a value; what has no class earns what a missing value earns."""
    found = bin_of(characteristic, value)
    return characteristic.points_missing if found is None else found.points


def score(card: Scorecard, attributes: dict[str, str]) -> tuple[int, list[Characteristic]]:
    """
    Score an application.

    Returns:
        Points, and the characteristics that cost most against their best class, worst first.
    """
    total, shortfalls = card.base_points, []
    for item in card.characteristics:
        got = points_of(item, attributes.get(item.name, ""))
        total += got
        shortfalls.append((max(b.points for b in item.bins) - got, item))
    worst = sorted(shortfalls, key=lambda pair: -pair[0])[:REASONS_MAX]
    return total, [item for missing, item in worst if missing > 0]


def probability_of_default(card: Scorecard, points: int) -> Decimal:
    """
    Return the probability that the points stand for, four places.

    Source:
        points = anchor + points_to_double / ln 2 x ln(odds / anchor_odds), odds good to bad.
    """
    return _probability(points - card.anchor_points, card.points_to_double, card.anchor_odds)


@lru_cache(maxsize=4096)
def _probability(above_anchor: int, to_double: int, anchor_odds: int) -> Decimal:
    odds = anchor_odds * Decimal(2) ** (Decimal(above_anchor) / to_double)
    return (1 / (1 + odds)).quantize(Decimal("0.0001"))
