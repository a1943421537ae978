"""The delinquency stream as a tape: every event of every loan, and when it was learned."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import msgspec
from lending.ledger.v1.events_pb2 import DelinquencyEvent, DelinquencyEventType

from services.risk.domain.behaviour import Fact
from shared.runtime.bus import Bus
from shared.runtime.reading import Reader
from shared.runtime.streams import DELINQUENCY, STREAM

PAGE, SILENT_SECONDS_MAX = 500, 5.0
EPOCH = date(1900, 1, 1)


async def read_stream(nats_url: str) -> list[Fact]:
    """Return the whole stream in order; waits for NATS, and ends when nothing is pending."""
    bus = await Bus.connect(nats_url, "risk-tape")
    reader = Reader(bus.client, STREAM, [f"{DELINQUENCY}.>"])
    bodies: list[bytes] = []
    while messages := await reader.batch(PAGE, SILENT_SECONDS_MAX):
        bodies += [message.body for message in messages]
        if messages[-1].pending == 0:
            break
    await bus.close()
    return facts(DelinquencyEvent.FromString(body) for body in bodies)


def facts(events: Iterable[DelinquencyEvent]) -> list[Fact]:
    """
    Return events as facts; the business date on which each was learned comes from the stream.

    The stream is in the order of learning, so nothing in it was known before the latest date
    that any event ahead of it counts from.
    """
    today, found = EPOCH, []
    for event in events:
        effective_on = date.fromisoformat(event.effective_on)
        today = max(today, effective_on)
        name = DelinquencyEventType.Name(event.type).removeprefix("DELINQUENCY_EVENT_TYPE_")
        due_on = event.delinquency.oldest_due_on
        found.append(
            Fact(
                loan_id=event.loan_id,
                sequence=event.sequence,
                type=name,
                effective_on=effective_on,
                known_on=today,
                oldest_due_on=date.fromisoformat(due_on) if due_on else None,
                days_past_due=event.delinquency.days_past_due,
                bucket_to=event.bucket_to if event.scheme == "m" else "",
                amount_minor=event.amount_minor,
                reason=event.reason,
            )
        )
    return found


def write_tape(path: Path, tape: list[Fact]) -> None:
    """Write one fact a line, as JSON."""
    path.write_bytes(b"".join(msgspec.json.encode(fact) + b"\n" for fact in tape))


def read_tape(path: Path) -> list[Fact]:
    """Read what `write_tape` wrote."""
    return [msgspec.json.decode(line, type=Fact) for line in path.read_bytes().splitlines()]
