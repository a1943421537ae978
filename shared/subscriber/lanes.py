"""A lane per loan: events are told in order and once; what cannot be told waits with its reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.runtime.reading import Message
from shared.runtime.streams import CHECKPOINT
from shared.runtime.telemetry import span
from shared.subscriber import checkpoints
from shared.subscriber.chain import Place, Verdict, judge
from shared.subscriber.checkpoints import Checkpoints
from shared.subscriber.digests import is_digest
from shared.subscriber.event import Event, EventUnreadable, Restatement, read_event
from shared.subscriber.inbox import Inbox, Parked
from shared.subscriber.parking import (
    BEHIND,
    GAP,
    POISON,
    UNREADABLE,
    WAITING,
    Applied,
    digest_of,
    is_known_to_wait,
    message_of,
    parked_of,
)


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
class Lanes(Generic[Unit]):
    """Applies messages within one transaction; `types` are those that are heard, empty is all."""

    inbox: Inbox
    hear: Hear[Unit]
    on_restated: OnRestated[Unit] | None = None
    types: frozenset[str] = frozenset()
    checkpoints: Checkpoints | None = None

    async def apply(
        self,
        unit: Unit,
        messages: Sequence[Message],
        history: History = NO_HISTORY,
        *,
        drains: bool = True,
    ) -> Applied:
        """
        Tell the handler each message that is next in its lane; park the others.

        What waited for one is told behind it, if it `drains`; else its loan is named as a gap.
        Raises:
            HandlerFailed, PlaceMoved, ProofWanted: roll back; try again, park, or ask.
        """
        applied, events = Applied(), []
        for message in messages:
            if message.subject == CHECKPOINT:
                await self._hold(unit, message, applied)
                continue
            if is_digest(message):
                continue
            try:
                events.append(history.mark(read_event(message)))
            except EventUnreadable as failure:
                loan_id = message.subject.rpartition(".")[2]
                await self._park(unit, message, loan_id, UNREADABLE, str(failure), applied)
        loans = sorted({event.loan_id for event in events})
        before = await self.inbox.places(unit.connection, loans)
        aside: dict[str, list[Parked]] = {}
        for row in await self.inbox.parked(unit.connection, loans) if loans else []:
            aside.setdefault(row.loan_id, []).append(row)
        after = dict(before)
        for event in events:
            rows = aside.setdefault(event.loan_id, [])
            if not await self._is_poison(unit, event, rows, applied):
                await self._take(unit, event, after, rows, applied)
            if rows and after.get(event.loan_id) != before.get(event.loan_id):
                loan_id = event.loan_id
                applied.gaps |= set() if drains else {loan_id}
                if drains:
                    aside[loan_id] = await self._drain(unit, loan_id, after, applied, history)
        await self.inbox.set_places(unit.connection, before, after)
        return applied

    async def _is_poison(
        self, unit: Unit, event: Event, rows: list[Parked], applied: Applied
    ) -> bool:
        """Pass over what the handler failed at; another event of its number is a rewrite."""
        failed = [row for row in rows if row.reason == POISON and row.sequence == event.sequence]
        if not failed:
            return False
        if digest_of(event.message) in [row.digest for row in failed]:
            applied.count("duplicate", event.id)
        else:
            why = "the handler failed at another event of this number"
            await self._park(
                unit, event.message, event.loan_id, str(Verdict.REWRITTEN), why, applied
            )
        return True

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
        rows: list[Parked],
        applied: Applied,
    ) -> None:
        place = places.get(event.loan_id, Place())
        verdict = judge(place, event.sequence, event.previous_hash, event.message.body)
        reason, detail = str(verdict), _known(place)
        match verdict:
            case Verdict.NEXT:
                await self._tell(unit, event)
                places[event.loan_id] = Place(event.sequence, event.hash)
                applied.count("told", event.id)
                return
            case Verdict.DUPLICATE:
                applied.count("duplicate", event.id)
                return
            case Verdict.GAP if is_known_to_wait(place, rows):
                reason, detail = BEHIND, ""
            case Verdict.GAP:
                applied.gaps.add(event.loan_id)
        parked = await self._park(unit, event.message, event.loan_id, reason, detail, applied)
        rows += [parked] if parked else []

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
    ) -> list[Parked]:
        """
        Tell what waited for what was just told, in order, for as long as it follows.

        What turns out to be of another history says so from then on, and so does a second hole.

        Returns:
            What still waits.
        """
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
            elif verdict is not Verdict.GAP:
                await self._now(unit, row, str(verdict), place, applied)
        await self.inbox.unpark(unit.connection, done)
        await self.inbox.redriven(unit.connection, loan_id)
        return await self._still(unit, loan_id, places.get(loan_id, Place()), applied)

    async def _still(
        self, unit: Unit, loan_id: str, place: Place, applied: Applied
    ) -> list[Parked]:
        """Return what still waits; the first behind another hole says that it is one."""
        rows = await self.inbox.parked(unit.connection, [loan_id])
        behind = [row for row in rows if row.reason == BEHIND]
        if not behind or is_known_to_wait(place, rows):
            return rows
        applied.gaps.add(loan_id)
        await self._now(unit, behind[0], GAP, place, applied)
        return await self.inbox.parked(unit.connection, [loan_id])

    async def _now(
        self, unit: Unit, row: Parked, reason: str, place: Place, applied: Applied
    ) -> None:
        """Let a parked event wait for another reason."""
        if row.reason != reason:
            await self.inbox.waits_for(unit.connection, row.number, reason, _known(place))
            applied.count(reason, f"{row.loan_id}/{row.sequence}")

    async def _park(
        self,
        unit: Unit,
        message: Message,
        loan_id: str,
        reason: str,
        detail: str,
        applied: Applied,
    ) -> Parked | None:
        row = parked_of(message, loan_id, reason, detail)
        fresh = await self.inbox.park(unit.connection, row)
        applied.count(reason if fresh else "duplicate", f"{row.loan_id}/{row.sequence}")
        return row if fresh else None

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
        detail = f"{type(failure.cause).__name__}: {failure.cause}"
        row = parked_of(event.message, event.loan_id, POISON, detail)
        if not await self.inbox.park(unit.connection, row):
            await self.inbox.mark_failed(unit.connection, row)
        applied.count(POISON, event.id)
        return applied


def _known(place: Place) -> str:
    return f"known up to {place.sequence} with hash {place.hash}"
