"""Delinquency messages as the ledger publishes them, for tests that stand in its place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import uuid4

from lending.ledger.v1 import events_pb2

from shared.runtime.bus import Bus, BusDown, Draft, NeverStored, Outcome
from shared.subscriber.chain import Place, event_hash

PREFIX, BATCH, TRIES = "DELINQUENCY_EVENT_TYPE_", 500, 3


class Sent(NamedTuple):
    """One message, and the place of its loan after it."""

    subject: str
    body: bytes
    headers: dict[str, str]
    place: Place


def event(
    loan_id: str, type_: str, on: str = "2026-02-06", **more: object
) -> events_pb2.DelinquencyEvent:
    """Return an event without its number."""
    return events_pb2.DelinquencyEvent(
        loan_id=loan_id,
        type=events_pb2.DelinquencyEventType.Value(f"{PREFIX}{type_}"),
        effective_on=on,
        recorded_at=f"{on}T09:00:00+00:00",
        **more,
    )


def chained(events: Iterable[events_pb2.DelinquencyEvent]) -> list[Sent]:
    """Number and chain events, each loan for itself, in the order given."""
    places: dict[str, Place] = {}
    messages = []
    for one in events:
        before = places.get(one.loan_id, Place())
        one.sequence = before.sequence + 1
        messages.append(sent(one, before.hash))
        places[one.loan_id] = messages[-1].place
    return messages


def sent(one: events_pb2.DelinquencyEvent, previous: str) -> Sent:
    """Return a numbered event as a message behind the one with a hash."""
    name = events_pb2.DelinquencyEventType.Name(one.type).removeprefix(PREFIX)
    body = one.SerializeToString(deterministic=True)
    headers = {
        "ce-specversion": "1.0",
        "ce-id": f"{one.loan_id}/{one.sequence}",
        "ce-source": "duebook/ledger",
        "ce-type": f"lending.ledger.v1.{name}",
        "ce-subject": one.loan_id,
        "ce-sequence": str(one.sequence),
        "ce-previoushash": previous,
    }
    subject = f"lending.v1.delinquency.{name.lower()}.{one.loan_id}"
    return Sent(subject, body, headers, Place(one.sequence, event_hash(previous, body)))


async def publish(bus: Bus, messages: Sequence[Sent]) -> None:
    """
    Publish messages in their order, also the same one again, and wait until all are stored.

    Raises:
        BusDown: NATS does not answer, not at the third try either.
    """
    for start in range(0, len(messages), BATCH):
        await _publish(bus, messages[start : start + BATCH])


async def _publish(bus: Bus, part: Sequence[Sent]) -> None:
    """Publish them again where no answer came; the ids of this call let none be stored twice."""
    call = uuid4()
    drafts = [
        Draft(one.subject, one.body, f"{call}/{k}", one.headers) for k, one in enumerate(part)
    ]
    for left in reversed(range(TRIES)):
        outcomes: list[Outcome]
        try:
            outcomes = await bus.publish_all(drafts)
        except NeverStored:
            raise
        except BusDown as failure:
            outcomes = [failure]
        failures = [one for one in outcomes if isinstance(one, Exception)]
        if not failures:
            return
        if not left or not isinstance(failures[0], BusDown):
            raise failures[0]
