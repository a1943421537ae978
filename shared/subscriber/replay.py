"""Hear the past again: of one loan or all, from a place or between two recorded times, checked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic

from shared.runtime.bus import Bus
from shared.runtime.reading import Message, Reader
from shared.runtime.streams import DELINQUENCY, STREAM
from shared.subscriber.chain import Place, Verdict
from shared.subscriber.event import Event, EventUnreadable, judged, read_event
from shared.subscriber.lanes import Hear, OnRestated, Unit

BATCH, WAIT_SECONDS = 200, 5.0


class HistoryBroken(Exception):
    """The stream does not hold whole history: the text names the event and what is wrong."""


@dataclass(frozen=True, slots=True)
class Past:
    """
    A part of the past.

    Args:
        loan_id: Of one loan; empty for all.
        since: Recorded at this instant or later, UTC.
        until: Recorded at this instant or earlier, UTC.
        start: From this stream sequence on.
    """

    loan_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    start: int = 1

    def holds(self, event: Event) -> bool:
        """Say whether an event is part of it."""
        early = self.since is not None and event.recorded_at < self.since
        return not early and (self.until is None or event.recorded_at <= self.until)


async def past(
    bus: Bus, wanted: Past, *, stream: str = STREAM, subject: str = DELINQUENCY
) -> AsyncIterator[list[Event]]:
    """
    Yield a part of the past up to where the stream ends now, in batches, marked as `replay`.

    Each loan's events come in order and once. The whole past begins with each loan's first event;
    of a part, the first one seen of a loan is taken as it is.

    Raises:
        HistoryBroken: an event is missing, another one, or unreadable.
        TimeoutError: the events stopped coming before the last one.
        BusDown, NatsError: NATS is away.
    """
    reader = Reader(
        *(bus.client, stream, [f"{subject}.*.{wanted.loan_id or '*'}"], wanted.start),
        since=wanted.since if wanted.start == 1 else None,
    )
    places: dict[str, Place] = {}
    whole = wanted.start == 1 and wanted.since is None
    try:
        left = await reader.left()
        while left > 0:
            messages = await reader.batch(min(BATCH, left), WAIT_SECONDS)
            if not messages:
                raise TimeoutError("the events stopped coming before the last one")
            left -= len(messages)
            events = [_checked(places, message, whole=whole) for message in messages]
            found = [event for event in events if event is not None and wanted.holds(event)]
            if found:
                yield [replace(event, replay=True) for event in found]
    finally:
        await reader.close()


def _checked(places: dict[str, Place], message: Message, *, whole: bool) -> Event | None:
    """Return the next event of its loan; None for one that is known."""
    try:
        event = read_event(message)
    except EventUnreadable as failure:
        raise HistoryBroken(str(failure)) from None
    if whole:
        places.setdefault(event.loan_id, Place())
    verdict = judged(places, event)
    if verdict is Verdict.DUPLICATE:
        return None
    if verdict is not Verdict.NEXT:
        raise HistoryBroken(f"{event.id}: {verdict}")
    return event


@dataclass(frozen=True, slots=True)
class Replay(Generic[Unit]):
    """
    Tells a handler a part of the past again, each batch in one transaction.

    What a running subscriber has heard is not changed by it: the handler has to stand an event that
    it knows, as `event.replay` says, or write into tables of its own that are empty.
    """

    bus: Bus
    work: Callable[[], AbstractAsyncContextManager[Unit]]
    hear: Hear[Unit]
    on_restated: OnRestated[Unit] | None = None

    async def run(self, wanted: Past, *, stream: str = STREAM, subject: str = DELINQUENCY) -> int:
        """
        Tell it; return how many events were told.

        Raises:
            HistoryBroken: the batch at which it shows is not told, those before it are.
            BusDown, NatsError, TimeoutError: NATS is away.
        """
        told = 0
        async for events in past(self.bus, wanted, stream=stream, subject=subject):
            async with self.work() as unit:
                for event in events:
                    await self._tell(event, unit)
            told += len(events)
        return told

    async def _tell(self, event: Event, unit: Unit) -> None:
        restated = event.restatement
        if restated is not None and self.on_restated is not None:
            await self.on_restated(event, restated, unit)
        else:
            await self.hear(event, unit)
