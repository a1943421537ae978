"""Apply messages until they are applied: together, one by one where that fails, aside at last."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Generic

from nats.errors import Error as NatsError

from shared.runtime.bus import BusDown
from shared.runtime.reading import Message
from shared.subscriber.checkpoints import ProofWanted
from shared.subscriber.event import EventUnreadable, read_event
from shared.subscriber.inbox import Inbox, Read
from shared.subscriber.lanes import HandlerFailed, History, Lanes, Unit
from shared.subscriber.marks import mark_of
from shared.subscriber.parking import Applied
from shared.subscriber.passing import is_passing
from shared.subscriber.reporting import report, report_sunsets, report_waiting

ATTEMPTS_MAX = 3
RETRY_SECONDS, RETRY_SECONDS_MAX = 0.2, 5.0


@dataclass(frozen=True, slots=True)
class Trying(Generic[Unit]):
    """Applies messages in transactions of `work`; what fails three times is put aside."""

    name: str
    work: Callable[[], AbstractAsyncContextManager[Unit]]
    lanes: Lanes[Unit]
    history: History

    async def apply(
        self, messages: list[Message], read: Read | None, stop: asyncio.Event
    ) -> Applied | None:
        """
        Apply a batch in one transaction; one by one when that fails.

        Args:
            messages: In the order of the stream.
            read: How far the stream was read before them; None to note nothing of it.
            stop: Ends it.
        Returns:
            What became of them; None when told to stop before.
        Raises:
            Exception: NATS or the database is away; begin again from what is stored.
        """
        pause = RETRY_SECONDS
        while not stop.is_set():
            try:
                return await self._once(messages, read)
            except (BusDown, NatsError, OSError):
                raise
            except Exception as failure:
                cause = failure.cause if isinstance(failure, HandlerFailed) else failure
                if not is_passing(cause):
                    return await self._one_by_one(messages, read, stop)
                report_waiting(self.name, failure)
            await pause_for(stop, pause)
            pause = min(2 * pause, RETRY_SECONDS_MAX)
        return None

    async def park(self, failure: HandlerFailed) -> None:
        """Put the event aside at which the handler failed."""
        async with self.work() as unit:
            applied = await self.lanes.park_failed(unit, failure)
        report(self.name, applied)

    async def _once(
        self, messages: list[Message], read: Read | None, *, drains: bool = True
    ) -> Applied:
        """Apply messages, and note how far the stream is read then, in one transaction."""
        while True:
            try:
                async with self.work() as unit:
                    applied = await self.lanes.apply(unit, messages, self.history, drains=drains)
                    if read is not None:
                        reached = up_to(read, messages[-1])
                        await Inbox(self.name).set_read(unit.connection, reached)
                break
            except ProofWanted as wanted:
                assert self.lanes.checkpoints is not None, "who takes checkpoints wanted it"
                await self.lanes.checkpoints.ask(wanted)
        if self.lanes.checkpoints is not None:
            self.lanes.checkpoints.answers.clear()
        report(self.name, applied)
        report_sunsets(self.name, messages)
        return applied

    async def _one_by_one(
        self, messages: list[Message], read: Read | None, stop: asyncio.Event
    ) -> Applied | None:
        total = Applied()
        for message in messages:
            applied = await self._alone(message, read, stop)
            if applied is None:
                return None
            total.outcomes.update(applied.outcomes)
            total.gaps |= applied.gaps
        return total

    async def _alone(
        self, message: Message, read: Read | None, stop: asyncio.Event
    ) -> Applied | None:
        """
        Apply one message; park the event that failed too often.

        Where the commit failed, it may be for an event that waited and was told behind this one:
        that is left to wait then, and its loan read again.
        """
        failures, drains = Counter[str](), True
        while not stop.is_set():
            try:
                return await self._once([message], read, drains=drains)
            except Exception as raised:
                failure = _failed_at(message, raised)
                drains = drains and failure is raised
                report_waiting(self.name, failure)
                name = failure.event.id
                failures[name] += not is_passing(failure.cause)
                if failures[name] >= ATTEMPTS_MAX:
                    await self.park(failure)
            await pause_for(stop, RETRY_SECONDS)
        return None


def up_to(read: Read, message: Message) -> Read:
    """Return how far the stream is read with a message."""
    mark = mark_of(message.subject, message.body)
    return read._replace(sequence=message.sequence, mark=mark)


def _failed_at(message: Message, raised: Exception) -> HandlerFailed:
    """
    Return at which event a transaction of one message failed: at its own, if only the commit did.

    Raises:
        Exception: the same, where it passes by itself or there is no event.
    """
    if isinstance(raised, HandlerFailed):
        return raised
    if is_passing(raised):
        raise raised
    try:
        return HandlerFailed(read_event(message), raised)
    except EventUnreadable:
        raise raised from None


async def pause_for(stop: asyncio.Event, seconds: float) -> None:
    """Wait, unless told to stop."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
