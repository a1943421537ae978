"""Boosted trees as plain data: walked node by node, no library needed to serve them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp

import msgspec

from services.risk.domain.provenance import Origin
from services.risk.domain.scorecard import a_number_in


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One attribute; `values` turn words into weights of evidence, None for numbers."""

    name: str
    text_en: str
    text_zh: str
    values: dict[str, float] | None = None


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A leaf with a value, or a question: is the feature at most this?"""

    value: float = 0.0
    feature: int = -1
    at_most: float = 0.0
    left: int = 0
    right: int = 0
    missing_left: bool = False


class BoostedTrees(msgspec.Struct, frozen=True, kw_only=True):
    """A trained challenger; leaf values add up to the log odds of being bad."""

    version: str
    features: tuple[Feature, ...]
    trees: tuple[tuple[Node, ...], ...]
    origin: Origin | None = None


def numbers_of(model: BoostedTrees, attributes: Mapping[str, str]) -> list[float | None]:
    """Return what the trees ask about; None is missing: empty, unknown, NaN, infinite."""
    found: list[float | None] = []
    for feature in model.features:
        text = attributes.get(feature.name, "")
        if feature.values is not None:
            found.append(feature.values.get(text))
        else:
            plain = a_number_in(text) is not None
            found.append(msgspec.convert(text, float, strict=False) if plain else None)
    return found


def log_odds(model: BoostedTrees, numbers: Sequence[float | None]) -> float:
    """Return the log odds of being bad."""
    return sum(_leaf(tree, numbers) for tree in model.trees)


def probability_bad(model: BoostedTrees, attributes: Mapping[str, str]) -> float:
    """Return the probability of being bad, 0 to 1."""
    return 1 / (1 + exp(-log_odds(model, numbers_of(model, attributes))))


def _leaf(tree: Sequence[Node], numbers: Sequence[float | None]) -> float:
    node = tree[0]
    while node.feature >= 0:
        number = numbers[node.feature]
        left = node.missing_left if number is None else number <= node.at_most
        node = tree[node.left if left else node.right]
    return node.value
