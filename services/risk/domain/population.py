"""Whom a card was trained on, kept beside a card that does not say it itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from services.risk.domain.provenance import Origin
from services.risk.domain.scorecard import Characteristic, Scorecard, bin_of


class Population(msgspec.Struct, frozen=True, kw_only=True):
    """The training set of a card: the share of it in each class, by characteristic."""

    version: str
    origin: Origin
    shares: dict[str, tuple[Decimal, ...]]


def population_of(card: Scorecard, origin: Origin, rows: Iterable[Mapping[str, str]]) -> Population:
    """Count a training set in the classes of a card."""
    applicants = list(rows)
    shares = {
        item.name: _shares(item, [row.get(item.name, "") for row in applicants])
        for item in card.characteristics
    }
    return Population(version=card.version, origin=origin, shares=shares)


def _shares(item: Characteristic, values: list[str]) -> tuple[Decimal, ...]:
    places = {id(one): place for place, one in enumerate(item.bins)}
    counts = [0] * len(item.bins)
    for value in values:
        found = bin_of(item, value)
        if found is not None:
            counts[places[id(found)]] += 1
    four = Decimal("0.0001")
    return tuple((Decimal(count) / len(values)).quantize(four) for count in counts)


def with_population(card: Scorecard, found: Population | None) -> Scorecard:
    """Return a card that says whom it was trained on; for watching it, its decisions stay its."""
    if found is None or card.origin is not None:
        return card
    items = tuple(
        msgspec.structs.replace(
            item,
            bins=tuple(
                msgspec.structs.replace(one, share=share)
                for one, share in zip(item.bins, found.shares[item.name], strict=True)
            ),
        )
        for item in card.characteristics
    )
    return msgspec.structs.replace(card, characteristics=items, origin=found.origin)
