"""Follow the delinquency stream: each event of a loan in order and once, across every failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import Generic

import structlog
from google.protobuf.message import DecodeError

from shared.kernel.calendars import WEEKENDS, Calendar
from shared.runtime.bus import Bus
from shared.runtime.reading import Message, Reader
from shared.runtime.stopping import unless
from shared.runtime.streams import CHECKPOINT, DELINQUENCY, DIGEST, STREAM
from shared.subscriber.checkpoints import Checkpoints, forget_stream
from shared.subscriber.digests import DayCount
from shared.subscriber.event import recorded_at
from shared.subscriber.inbox import Inbox, Read
from shared.subscriber.lag import Lag, lag_of, recorded_in
from shared.subscriber.lanes import HandlerFailed, Hear, History, Lanes, OnRestated, Unit
from shared.subscriber.marks import StreamReplaced, mark_at
from shared.subscriber.passing import begins_again, is_passing
from shared.subscriber.reporting import (
    PARKED_LOANS,
    report,
    report_days,
    report_lag,
    report_no_days,
    report_waiting,
)
from shared.subscriber.snapshot import OnSnapshot, join, lacking, states
from shared.subscriber.trying import (
    RETRY_SECONDS,
    RETRY_SECONDS_MAX,
    Trying,
    pause_for,
    up_to,
)

BATCH, BATCH_SECONDS = 100, 1.0
REDRIVE_SECONDS, HEAL_SECONDS = 2.0, 10.0


@dataclass(slots=True)
class Subscriber(Generic[Unit]):
    """
    Tells a handler every event of every loan, exactly once in its own database.

    Args:
        bus: Where the stream is.
        name: Of the subscriber; its place is kept under it.
        work: Opens a transaction of the subscriber's database (create_inbox made its tables).
            What the handler writes, and that it heard the event, are committed together.
        hear: Takes an event; an exception rolls back, three of them park the event.
        on_restated: Takes restatements instead of `hear`.
        on_snapshot: Takes the states of all loans, when the subscriber is new; without it, a new
            subscriber hears the whole history.
        types: Which events the handler wants, such as "BUCKET_CHANGED"; empty for all.
        mute_history: Mark what is older than a new subscriber with `replay`.
        checkpoints: Holds the ledger's signed checkpoints against each other.
        calendar: Whose business days the lag is counted in.
    """

    bus: Bus
    name: str
    work: Callable[[], AbstractAsyncContextManager[Unit]]
    hear: Hear[Unit]
    on_restated: OnRestated[Unit] | None = None
    on_snapshot: OnSnapshot[Unit] | None = None
    types: frozenset[str] = frozenset()
    mute_history: bool = False
    checkpoints: Checkpoints | None = None
    calendar: Calendar = WEEKENDS
    stream: str = STREAM
    subject: str = DELINQUENCY
    read: Read = field(default_factory=Read)
    told_before: datetime | None = None
    opened: int = 0
    healed_at: dict[str, float] = field(default_factory=dict)
    looked_at: float = 0.0
    pending: int = 0
    read_at: datetime | None = None
    days: DayCount = field(default_factory=DayCount)

    @property
    def lanes(self) -> Lanes[Unit]:
        """What applies messages."""
        return Lanes(Inbox(self.name), self.hear, self.on_restated, self.types, self.checkpoints)

    @property
    def trying(self) -> Trying[Unit]:
        """What applies them again until they are."""
        return Trying(self.name, self.work, self.lanes, self.history)

    @property
    def history(self) -> History:
        """What is older than this subscriber, in the stream as it is now."""
        return History(self.read.replay_until, self.told_before)

    @property
    def subjects(self) -> list[str]:
        """What is read of the stream."""
        digests = [f"{DIGEST}.*"] if self.subject == DELINQUENCY else []
        return [f"{self.subject}.>", *digests, *([CHECKPOINT] if self.checkpoints else [])]

    async def lag(self) -> Lag:
        """
        Return how far behind it is, in events and in business days.

        Raises:
            BusDown: NATS does not answer.
        """
        of = (self.stream, self.subject, self.pending, self.read_at)
        return await lag_of(self.bus, *of, self.calendar)

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until told to stop; outages of NATS and of the database are waited out."""
        pause = RETRY_SECONDS
        while not stop.is_set():
            reader: Reader | None = None
            try:
                await unless(stop, self._begin())
                reader = self._reader(self.subjects, self.read.sequence + 1)
                self.opened = 0
                while not stop.is_set():
                    await self._step(reader, stop)
                    pause = RETRY_SECONDS
            except Exception as failure:
                if not begins_again(failure):
                    raise
                log = structlog.get_logger()
                log.warning("stream lost", subscriber=self.name, failure=repr(failure))
                await pause_for(stop, pause)
                pause = min(2 * pause, RETRY_SECONDS_MAX)
            finally:
                if reader is not None:
                    await reader.close()

    def _reader(self, subjects: list[str], start: int) -> Reader:
        return Reader(self.bus.client, self.stream, subjects, next=start)

    async def _begin(self) -> None:
        """Go on where we were; from the start when the stream is not the one that we read."""
        await self.bus.ensure_streams()
        inbox = Inbox(self.name)
        async with self.work() as unit:
            read = await inbox.read(unit.connection)
            self.told_before = await inbox.told_before(unit.connection)
        if read is None:
            read = await self._first_time(inbox)
        elif read.sequence and read.mark != await mark_at(self.bus, self.stream, read.sequence):
            structlog.get_logger().warning("the stream was replaced", subscriber=self.name)
            read = Read()
            async with self.work() as unit:
                await forget_stream(unit.connection, self.name)
        self.read, self.days = read, DayCount()
        report_no_days(self.name)

    async def _first_time(self, inbox: Inbox) -> Read:
        last = await self.bus.last_sequence(self.stream)
        read = Read(replay_until=last if self.mute_history else 0)
        newest = await self.bus.last_message(self.stream, f"{self.subject}.>")
        async with self.work() as unit:
            if self.mute_history and newest is not None:
                self.told_before = recorded_at(newest.data or b"")
                await inbox.set_told_before(unit.connection, self.told_before)
            if self.on_snapshot is not None:
                places = await join(self.bus, self.on_snapshot, unit)
                await inbox.seed(unit.connection, places)
                read = read._replace(sequence=last, mark=await mark_at(self.bus, self.stream, last))
            await inbox.set_read(unit.connection, read)
        return read

    async def _step(self, reader: Reader, stop: asyncio.Event) -> None:
        messages = await unless(stop, reader.batch(BATCH, BATCH_SECONDS))
        if messages is None:
            return
        if reader.opened != self.opened:
            # Its consumer was made again: perhaps in another stream.
            place, self.opened = self.read, reader.opened
            if place.mark != await mark_at(self.bus, self.stream, place.sequence):
                raise StreamReplaced("something else stands where it was read")
        if messages:
            last = messages[-1]
            applied = await self.trying.apply(messages, self.read, stop)
            if applied is None:
                return
            self.read = up_to(self.read, last)
            await self._heal(applied.gaps, stop)
            await self._count(messages, stop)
            self.pending = last.pending
            self.read_at = recorded_in(last.headers, last.body) or self.read_at
        else:
            self.pending = 0
        if not self.pending or monotonic() - self.looked_at > REDRIVE_SECONDS:
            report_lag(self.name, await self.lag())
        if monotonic() - self.looked_at > REDRIVE_SECONDS:
            self.looked_at = monotonic()
            await self._redrive(stop)

    async def _count(self, messages: list[Message], stop: asyncio.Event) -> None:
        """Hold what came against each day's digest; read loans again that lack their last event."""
        log = structlog.get_logger()
        try:
            counted = [self.days.take(one) for one in messages if one.subject != CHECKPOINT]
        except DecodeError as failure:
            log.error("a digest is unreadable", subscriber=self.name, failure=str(failure))
            self.days = DayCount()
            return
        days = [day for day in counted if day is not None]
        report_days(self.name, days)
        if not any(day.missing for day in days):
            return
        found = await states(self.bus)
        async with self.work() as unit:
            loans = lacking(await Inbox(self.name).all_places(unit.connection), found)
        for loan_id, why in loans.items():
            log.error("a loan's last events are missing", loan_id=loan_id, why=why)
        await self._heal(set(loans), stop)

    async def _heal(self, loans: set[str], stop: asyncio.Event) -> None:
        """Read the whole life of a loan with a gap again: what is missing may be there by now."""
        for loan_id in sorted(loans):
            if monotonic() - self.healed_at.get(loan_id, -HEAL_SECONDS) < HEAL_SECONDS:
                continue
            self.healed_at[loan_id] = monotonic()
            reader = self._reader([f"{self.subject}.*.{loan_id}"], 1)
            try:
                while messages := await reader.batch(BATCH, BATCH_SECONDS):
                    await self.trying.apply(messages, None, stop)
                    if not messages[-1].pending:
                        break
            finally:
                await reader.close()

    async def _redrive(self, stop: asyncio.Event) -> None:
        """Try again what somebody asked for; read loans again that still have a gap."""
        inbox = Inbox(self.name)
        async with self.work() as unit:
            lanes = await inbox.lanes_parked(unit.connection)
            asked = {row.loan_id for row in await inbox.parked(unit.connection, redrive=True)}
            gaps = await inbox.lanes_with_gap(unit.connection)
        PARKED_LOANS.labels(self.name).set(len(lanes))
        for loan_id in sorted(asked):
            try:
                async with self.work() as unit:
                    applied = await self.lanes.redrive(unit, loan_id, self.history)
                report(self.name, applied)
            except HandlerFailed as failure:
                if is_passing(failure.cause):
                    report_waiting(self.name, failure)
                else:
                    await self.trying.park(failure)
            except Exception as failure:
                if is_passing(failure):
                    raise
                report_waiting(self.name, failure)
                async with self.work() as unit:
                    await inbox.redriven(unit.connection, loan_id)
        await self._heal(gaps, stop)
