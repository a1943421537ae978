"""A lane per loan: events are told in order and once; what cannot be told waits with its reason."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.runtime.reading import Message
from shared.runtime.streams import CHECKPOINT
from shared.runtime.telemetry import span
from shared.subscriber import checkpoints
from shared.subscriber.chain import Place, Verdict, judge
from shared.subscriber.checkpoints import Checkpoints
from shared.subscriber.event import Event, EventUnreadable, Restatement, read_event
from shared.subscriber.inbox import Inbox, Parked

UNREADABLE, POISON, BEHIND = "UNREADABLE", "POISON", "BEHIND"
WAITING = (str(Verdict.GAP), BEHIND)
"""Reasons that end by themselves, once what comes before was told."""

FAULTS = (
    *(Verdict.GAP, Verdict.FORKED, Verdict.REWRITTEN, UNREADABLE, POISON),
    *checkpoints.FAULTS,
)
DETAIL_MAX = 2_000


class OpenUnit(Protocol):
    """A transaction of the subscriber's own database."""

    @property
    def connection(self) -> AsyncConnection:
        """The connection that the transaction is open on."""


Unit = TypeVar("Unit", bound=OpenUnit)
Hear = Callable[[Event, Unit], Awaitable[None]]
OnRestated = Callable[[Event, Restatement, Unit], Awaitable[None]]


class History(NamedTuple):
    """
    What is older than a subscriber.

    `until` is the last stream sequence of it; 0 in a stream that was made since, where `recorded`
    tells: the instant up to which the ledger had learned of it.
    """

    until: int = 0
    recorded: datetime | None = None

    def mark(self, event: Event) -> Event:
        """Return the event, marked as a replay if it is history."""
        if self.until:
            old = event.message.sequence <= self.until
        else:
            old = self.recorded is not None and event.recorded_at <= self.recorded
        return replace(event, replay=True) if old else event


NO_HISTORY = History()


class HandlerFailed(Exception):
    """The handler raised at an event; nothing of the transaction remains."""

    def __init__(self, event: Event, cause: Exception) -> None:
        super().__init__(f"{event.id}: {type(cause).__name__}: {cause}")
        self.event, self.cause = event, cause


@dataclass(slots=True)
class Applied:
    """What became of a batch: events by outcome, and loans with a gap."""

    outcomes: Counter[str] = field(default_factory=Counter)
    gaps: set[str] = field(default_factory=set)
    faults: list[tuple[str, str]] = field(default_factory=list)

    def count(self, outcome: str, event_id: str) -> None:
        """Take one event."""
        self.outcomes[outcome] += 1
        if outcome in FAULTS:
            self.faults.append((outcome, event_id))


@dataclass(slots=True)
class Lanes(Generic[Unit]):
    """Applies messages within one transaction; `types` are those that are heard, empty is all."""

    inbox: Inbox
    hear: Hear[Unit]
    on_restated: OnRestated[Unit] | None = None
    types: frozenset[str] = frozenset()
    checkpoints: Checkpoints | None = None

    async def apply(
        self, unit: Unit, messages: Sequence[Message], history: History = NO_HISTORY
    ) -> Applied:
        """
        Tell the handler each message that is next in its lane; park the others.

        Raises:
            HandlerFailed: roll back, and try again or park.
            PlaceMoved: roll back, and try again.
        """
        applied, events = Applied(), []
        for message in messages:
            if message.subject == CHECKPOINT:
                await self._hold(unit, message, applied)
                continue
            try:
                events.append(history.mark(read_event(message)))
            except EventUnreadable as failure:
                loan_id = message.subject.rpartition(".")[2]
                await self._park(unit, message, loan_id, UNREADABLE, str(failure), applied)
        loans = sorted({event.loan_id for event in events})
        before = await self.inbox.places(unit.connection, loans)
        parked = await self.inbox.parked(unit.connection, loans) if loans else []
        waiting = {row.loan_id for row in parked}
        failed = {(row.loan_id, row.sequence) for row in parked if row.reason == POISON}
        after = dict(before)
        for event in events:
            if (event.loan_id, event.sequence) in failed:
                applied.count("duplicate", event.id)
                continue
            await self._take(unit, event, after, waiting, applied)
            if event.loan_id in waiting and after.get(event.loan_id) != before.get(event.loan_id):
                await self._drain(unit, event.loan_id, after, applied, history)
        await self.inbox.set_places(unit.connection, before, after)
        return applied

    async def redrive(self, unit: Unit, loan_id: str, history: History = NO_HISTORY) -> Applied:
        """Try the parked events of one loan again, also those that failed."""
        applied = Applied()
        before = await self.inbox.places(unit.connection, [loan_id])
        after = dict(before)
        await self._drain(unit, loan_id, after, applied, history)
        await self.inbox.set_places(unit.connection, before, after)
        return applied

    async def _take(
        self,
        unit: Unit,
        event: Event,
        places: dict[str, Place],
        waiting: set[str],
        applied: Applied,
    ) -> None:
        place = places.get(event.loan_id, Place())
        verdict = judge(place, event.sequence, event.previous_hash, event.message.body)
        if verdict is Verdict.NEXT:
            await self._tell(unit, event)
            places[event.loan_id] = Place(event.sequence, event.hash)
            applied.count("told", event.id)
        elif verdict is Verdict.DUPLICATE:
            applied.count("duplicate", event.id)
        elif verdict is Verdict.GAP and event.loan_id in waiting:
            await self._park(unit, event.message, event.loan_id, BEHIND, "", applied)
        else:
            if verdict is Verdict.GAP:
                applied.gaps.add(event.loan_id)
            waiting.add(event.loan_id)
            detail = f"known up to {place.sequence} with hash {place.hash}"
            await self._park(unit, event.message, event.loan_id, str(verdict), detail, applied)

    async def _tell(self, unit: Unit, event: Event) -> None:
        if self.types and event.type not in self.types:
            return
        try:
            trace = event.message.headers.get("traceparent", "")
            with span(f"consume {event.message.subject}", trace):
                told = event.restatement
                if told is not None and self.on_restated is not None:
                    await self.on_restated(event, told, unit)
                else:
                    await self.hear(event, unit)
        except Exception as failure:
            raise HandlerFailed(event, failure) from failure

    async def _drain(
        self,
        unit: Unit,
        loan_id: str,
        places: dict[str, Place],
        applied: Applied,
        history: History,
    ) -> None:
        """Tell what waited for what was just told, in order, for as long as it follows."""
        done = []
        for row in await self.inbox.parked(unit.connection, [loan_id]):
            if row.reason not in WAITING and not row.redrive:
                continue
            try:
                event = history.mark(read_event(message_of(row)))
            except EventUnreadable:
                continue
            place = places.get(loan_id, Place())
            verdict = judge(place, event.sequence, event.previous_hash, row.body)
            if verdict is Verdict.NEXT:
                await self._tell(unit, event)
                places[loan_id] = Place(event.sequence, event.hash)
                applied.count("told", event.id)
            if verdict in (Verdict.NEXT, Verdict.DUPLICATE):
                done.append(row.number)
        await self.inbox.unpark(unit.connection, done)
        await self.inbox.redriven(unit.connection, loan_id)

    async def _park(
        self,
        unit: Unit,
        message: Message,
        loan_id: str,
        reason: str,
        detail: str,
        applied: Applied,
    ) -> None:
        row = parked_of(message, loan_id, reason, detail)
        fresh = await self.inbox.park(unit.connection, row)
        applied.count(reason if fresh else "duplicate", f"{loan_id}/{row.sequence}")

    async def _hold(self, unit: Unit, message: Message, applied: Applied) -> None:
        """Hold a checkpoint against those before it; the first of each fault is kept."""
        if self.checkpoints is None:
            return
        connection, name = unit.connection, self.inbox.subscriber
        verdict, size, detail = await self.checkpoints.take(connection, name, message)
        if verdict not in checkpoints.FAULTS:
            applied.count(str(verdict), f"{checkpoints.LANE}/{size}")
            return
        row = parked_of(message, checkpoints.LANE, str(verdict), detail)
        same = [one.reason for one in await self.inbox.parked(connection, [checkpoints.LANE])]
        fresh = str(verdict) not in same
        if fresh:
            await self.inbox.park(connection, replace(row, sequence=size))
        applied.count(str(verdict), f"{checkpoints.LANE}/{size}")

    async def park_failed(self, unit: Unit, failure: HandlerFailed) -> Applied:
        """Put the event that the handler cannot take aside; its lane waits behind it."""
        applied, event = Applied(), failure.event
        detail = f"{type(failure.cause).__name__}: {failure.cause}"[:DETAIL_MAX]
        row = parked_of(event.message, event.loan_id, POISON, detail)
        if not await self.inbox.park(unit.connection, row):
            await self.inbox.mark_failed(unit.connection, row)
        applied.count(POISON, event.id)
        return applied


def parked_of(message: Message, loan_id: str, reason: str, detail: str) -> Parked:
    """Return a message as it is parked."""
    number = message.headers.get("ce-sequence", "")
    return Parked(
        loan_id=loan_id[:40],
        sequence=int(number) if number.isascii() and number.isdigit() and len(number) < 19 else 0,
        digest=hashlib.sha256(message.body).hexdigest(),
        reason=reason,
        detail=detail,
        subject=message.subject[:200],
        headers=json.dumps(dict(message.headers)).encode(),
        body=message.body,
        stream_sequence=message.sequence,
        stored_at=message.stored_at,
    )


def message_of(row: Parked) -> Message:
    """Return a parked message as it came."""
    headers = json.loads(row.headers)
    return Message(row.subject, row.body, headers, row.stream_sequence, row.stored_at)
