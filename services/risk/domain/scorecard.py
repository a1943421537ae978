"""A scorecard is addition: points per attribute; the reasons are the points that are missing."""

from __future__ import annotations

from decimal import Decimal

import msgspec

REASONS_MAX = 4


class Bin(msgspec.Struct, frozen=True):
    """One class of an attribute: the values it holds, or its upper bound for numbers."""

    points: int
    values: tuple[str, ...] = ()
    below: int | None = None


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


def points_of(characteristic: Characteristic, value: str) -> int:
    """Return the points of a value; a number falls into the first class that it lies below."""
    number = int(value) if value.isascii() and value.isdecimal() else None
    for item in characteristic.bins:
        if item.values:
            matches = value in item.values
        else:
            matches = number is not None and (item.below is None or number < item.below)
        if matches:
            return item.points
    return characteristic.points_missing


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
    doublings = Decimal(points - card.anchor_points) / card.points_to_double
    odds = card.anchor_odds * Decimal(2) ** doublings
    return (1 / (1 + odds)).quantize(Decimal("0.0001"))
