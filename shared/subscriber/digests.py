"""Whether everything of a day was heard, across loans: the stream counted between two digests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from lending.ledger.v1.events_pb2 import DelinquencyDigest

from shared.runtime.bus import Bus
from shared.runtime.reading import Message, Reader, to_the_end
from shared.runtime.streams import DELINQUENCY, DIGEST, STREAM

BATCH, SECONDS = 1_000, 5.0


class DayHeard(NamedTuple):
    """A day as its digest tells it, and how many events of which types are missing of it."""

    digest: DelinquencyDigest
    missing: dict[str, int]

    def __str__(self) -> str:
        """Say what is missing of which day."""
        lacks = ", ".join(f"{count} {name}" for name, count in sorted(self.missing.items()))
        return f"{self.digest.on}: {lacks or 'nothing'} missing"


def is_digest(message: Message) -> bool:
    """Say whether a message is the digest of a day."""
    return message.subject.startswith(f"{DIGEST}.")


@dataclass(slots=True)
class DayCount:
    """
    Counts delinquency events between digests; give it both, in the order of the stream.

    A loan's chain shows what is missing between two of its events; this also shows a loan's last
    one. What is counted before the first digest that is heard says nothing. A digest behind one
    that is not its predecessor counts for nothing either: a stream that lost some was mended.
    """

    types: Counter[str] = field(default_factory=Counter)
    last_on: str | None = None

    def take(self, message: Message) -> DayHeard | None:
        """
        Count an event, or hold what was counted against a digest.

        Returns:
            The day, for the digest of a day that was heard from its beginning; None otherwise.
        Raises:
            DecodeError: the digest cannot be read.
        """
        if not is_digest(message):
            self.types[message.headers.get("ce-type", "").rpartition(".")[2]] += 1
            return None
        digest = DelinquencyDigest.FromString(message.body)
        whole = digest.previous_on == (self.last_on or "")
        wanted, counted = Counter(dict(digest.events_by_type)), Counter(self.types)
        self.types.clear()
        self.last_on = digest.on
        return DayHeard(digest, dict(wanted - counted)) if whole else None


async def days_of(bus: Bus) -> list[DayHeard]:
    """
    Count the whole stream, and hold it against the digest of each day, oldest first.

    Raises:
        TimeoutError: it stopped coming before its end.
    """
    reader, count = Reader(bus.client, STREAM, [f"{DELINQUENCY}.>", f"{DIGEST}.*"]), DayCount()
    everything = to_the_end(reader, BATCH, SECONDS)
    return [day async for one in everything if (day := count.take(one)) is not None]
