"""What the ledger's use cases need from outside, as they see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import msgspec

from shared.kernel.errors import Unavailable


class StreamChanged(Exception):
    """Another event has the version that we were about to store; nothing was stored."""


class LogUnavailable(Unavailable):
    """The log did not answer: send the same request again, with the same id."""


class Logged(NamedTuple):
    """One stored event at its place in the log."""

    position: int
    originator_id: str
    version: int
    topic: str
    state: bytes


class Log(Protocol):
    """The event store: streams by id, and one log over all of them."""

    def append(self, streams: Sequence[tuple[str, int, Sequence[msgspec.Struct]]]) -> None:
        """Store events of many streams at once, or raise StreamChanged and store nothing."""

    def stream(self, originator_id: str, version_max: int | None = None) -> list[msgspec.Struct]:
        """Return the events of one stream, oldest first."""

    def streams(self, originator_ids: Sequence[str]) -> Iterator[tuple[str, list[msgspec.Struct]]]:
        """Yield many streams whole, some by one statement; one that is too long is left out."""

    def stored(self, originator_id: str, version: int | None = None) -> list[Logged]:
        """Return one stream, or one event of it, as stored; positions are 0 where unknown."""

    def log(self, after: int, limit: int) -> list[Logged]:
        """Return up to `limit` events after a position."""

    def last_position(self) -> int:
        """Return the position of the newest event."""


class Searched(Log, Protocol):
    """The same log, looked through by stream."""

    def placed(self, originator_id: str, after: int, limit: int) -> list[Logged]:
        """Return up to `limit` events of one stream after a position, with their positions."""

    def names(self, prefix: str, after: str, limit: int) -> list[str]:
        """Return up to `limit` ids of streams that begin so, behind one, in an order that stays."""

    def count(self, prefix: str) -> int:
        """Return how many streams begin so."""
