"""The chain of a loan's events: each names the hash of the one before, so that none can be missing,
changed or slipped in without being noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

GENESIS = "0" * 64
"""The previous hash of a loan's first event."""


class Place(NamedTuple):
    """How far a loan's events are known: the number of the last one, and its hash."""

    sequence: int = 0
    hash: str = GENESIS


class Verdict(StrEnum):
    """What an event is to somebody who knows a loan up to a place."""

    NEXT = "NEXT"
    DUPLICATE = "DUPLICATE"
    GAP = "GAP"
    FORKED = "FORKED"
    REWRITTEN = "REWRITTEN"


def event_hash(previous: str, body: bytes) -> str:
    """
    Return the hash of an event.

    Args:
        previous: Of the event before, 64 hexadecimal digits.
        body: The protobuf bytes as published.
    Returns:
        SHA-256 over the 32 bytes of `previous` and then the body, 64 hexadecimal digits.
    """
    return hashlib.sha256(bytes.fromhex(previous) + body).hexdigest()


def judge(place: Place, sequence: int, previous: str, body: bytes) -> Verdict:
    """
    Say what an event is.

    A change of an event behind the last one shows in the hash of the last one, which all before
    it went into.
    """
    if sequence > place.sequence + 1:
        return Verdict.GAP
    if sequence == place.sequence + 1:
        return Verdict.NEXT if previous == place.hash else Verdict.FORKED
    if sequence == place.sequence and event_hash(previous, body) != place.hash:
        return Verdict.REWRITTEN
    return Verdict.DUPLICATE


def place_of(headers: Mapping[str, str], body: bytes) -> Place:
    """Return the place that a message stands for; without a hash where its headers have none."""
    previous = headers.get("ce-previoushash", "")
    digest = event_hash(previous, body) if len(previous) == 64 else ""
    return Place(int(headers.get("ce-sequence", "0")), digest)
