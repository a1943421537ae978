"""Hold what an explanation says was paid against the events that paid it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

Event = tuple[Sequence[Any], dict[str, Any]]
"""An event's head [position, stream, version, topic], and what it says."""

_PAID = re.compile(r"([A-Z]+) of ([0-9]+) paid")
_SLOT = re.compile(r"(principal|interest) of ([0-9]+)(?: paid)?")


class Unpaid(Exception):
    """An explanation counts a payment otherwise than the events do; the message says which."""


class Leaf(NamedTuple):
    """One leaf that says what an event, or a credit balance, paid of a slot."""

    source: str
    slot: tuple[int, str]
    amount: int


class Money(NamedTuple):
    """
    The money of a loan's events up to a date, minor units.

    `slots` are what each repayment went to, as stored, unless a later event says that it now goes
    elsewhere; of those only `total` bounds what they paid.
    """

    total: int
    known: frozenset[str]
    slots: dict[str, dict[tuple[int, str], int]]
    versions: int


def money_of(events: Iterable[Event], on: str) -> Money:
    """Return what came in and counts on a date, and where it went."""
    paid: dict[str, dict[str, Any]] = {}
    elsewhere: set[str] = set()
    refunded = versions = 0
    for head, event in events:
        versions, name = versions + 1, head[3].rpartition(".")[2]
        elsewhere.update(event.get("reallocated", ()))
        if event["effective_on"] > on:
            continue
        if name == "RepaymentReversed":
            paid.pop(event["repayment_id"], None)
        elif "repayment_id" in event:
            paid[event["repayment_id"]] = event
        elif name == "CreditRefunded":
            refunded += event["amount_minor"]
    total = sum(event["amount_minor"] for event in paid.values()) - refunded
    stored = {k: e["allocations"] for k, e in paid.items() if "allocations" in e}
    slots = {name: _summed(found) for name, found in stored.items() if name not in elsewhere}
    return Money(total, frozenset(paid), slots, versions)


def _summed(slots: Iterable[Sequence[Any]]) -> dict[tuple[int, str], int]:
    found: dict[tuple[int, str], int] = {}
    for instalment, component, amount in slots:
        found[instalment, component] = found.get((instalment, component), 0) + amount
    return found


def check_paid(tree: dict[str, Any], money: Money) -> int:
    """
    Hold every payment in a tree against the events; return how many there are.

    Raises:
        Unpaid: an amount, a payment that is missing, one that does not count, or more than came in.
    """
    # A figure may count the same payment in two of its parts, such as a fee for paying ahead.
    leaves = list(dict.fromkeys(_leaves(tree)))
    for leaf in leaves:
        if leaf.source.startswith("credit@"):
            version = leaf.source.partition("@")[2]
            if not (version.isdigit() and 1 <= int(version) <= money.versions):
                raise Unpaid(f"no event is version {version}")
        elif leaf.source not in money.known:
            raise Unpaid(f"no money that counts is {leaf.source}")
    _check_amounts(leaves, money)
    _check_missing(tree, money)
    total = sum(leaf.amount for leaf in leaves)
    if total > money.total or any(leaf.amount <= 0 for leaf in leaves):
        raise Unpaid(f"{total} counts as paid, {money.total} came in")
    return len(leaves)


def _check_amounts(leaves: list[Leaf], money: Money) -> None:
    said: dict[str, list[Sequence[Any]]] = {}
    for leaf in leaves:
        said.setdefault(leaf.source, []).append((*leaf.slot, leaf.amount))
    for source, slots in said.items():
        stored = money.slots.get(source)
        for slot, amount in _summed(slots).items():
            if stored is not None and stored.get(slot, 0) != amount:
                raise Unpaid(f"{source} paid {stored.get(slot, 0)} of {slot}, not {amount}")


def _check_missing(tree: dict[str, Any], money: Money) -> None:
    """Every stored payment of a slot is among the leaves of the node that is about the slot."""
    about = _SLOT.fullmatch(tree["label"])
    if about and tree["op"] in ("minus", "sum"):
        slot = (int(about[2]), about[1].upper())
        there = {leaf.source for leaf in _leaves(tree)}
        for source, slots in money.slots.items():
            if slots.get(slot) and source not in there:
                raise Unpaid(f"what {source} paid of {slot} is left out")
    for part in tree.get("of", []):
        _check_missing(part, money)


def _leaves(tree: dict[str, Any]) -> Iterator[Leaf]:
    kind, _, source = str(tree.get("from", "")).partition(":")
    about = _PAID.fullmatch(tree["label"])
    if kind == "event" and tree["op"] == "given":
        if about is None:
            raise Unpaid(f"{tree['label']}: an event does not pay that")
        yield Leaf(source, (int(about[2]), about[1]), int(tree["value"]))
    for part in tree.get("of", []):
        yield from _leaves(part)
