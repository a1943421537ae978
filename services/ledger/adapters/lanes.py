"""A page of the log as messages in the stream: a lane per loan, many loans by one write."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from nats.js.api import RawStreamMsg

from services.ledger.adapters.read_models import Told
from services.ledger.application.following import Followed
from services.ledger.wire_events import Outgoing, outgoing_of, state_of
from shared.runtime.bus import Bus, BusDown, Draft, Fence, SequenceMoved, Stored
from shared.runtime.streams import DELINQUENCY, STATE_STREAM, STREAM
from shared.subscriber.chain import Place, place_of

ASKED_MAX = 64
"""Messages of which the stream is asked at once."""

Value = TypeVar("Value")


class StreamBehind(Exception):
    """The stream lacks what was published: it was wiped or rolled back."""


@dataclass(slots=True)
class Lane:
    """
    What a page tells of one loan: its state, and its events, one behind the other.

    `end` and `at` are the stream sequences of its last event and its last state.
    """

    loan_id: str
    state: Outgoing
    events: list[Outgoing]
    end: int
    at: int

    @property
    def told(self) -> Told:
        """What was published of the loan."""
        place = self.events[-1].place
        return Told(place.sequence, place.hash, self.end, self.at)

    @property
    def subject(self) -> str:
        """The subjects of the loan's events."""
        return f"{DELINQUENCY}.*.{self.loan_id}"


def lane_of(loan_id: str, rows: Sequence[Followed], told: Told) -> Lane:
    """Return what some facts of a loan are told as, behind what was told of it."""
    place = Place(told.sequence, told.hash)
    events: list[Outgoing] = []
    for row in rows:
        events += outgoing_of(row, place)
        place = events[-1].place
    state = state_of(rows[-1].account, place)
    return Lane(loan_id, state, events, told.stream_sequence, told.state_sequence)


async def publish(bus: Bus, lanes: Sequence[Lane]) -> None:
    """
    Store what lanes tell: all states, then the first event of each, then the second of each, …

    A message is stored only behind the one before it of its loan; a lane knows then where it ends.

    Raises:
        BusDown: some may be stored, others not; publish them again.
        StreamBehind: a message before them is not in the stream.
    """
    # The states first: who notes the end of the stream and then reads the states misses nothing.
    await _states(bus, lanes)
    for number in range(max((len(lane.events) for lane in lanes), default=0)):
        await _events(bus, [lane for lane in lanes if number < len(lane.events)], number)


async def _states(bus: Bus, lanes: Sequence[Lane]) -> None:
    drafts = [
        Draft(state.subject, state.body, "", state.headers, Fence(state.subject, lane.at))
        for lane in lanes
        for state in (lane.state,)
    ]
    refused = []
    for lane, outcome in zip(lanes, await bus.publish_all(drafts), strict=True):
        match outcome:
            case Stored():
                lane.at = outcome.sequence
            case SequenceMoved():
                refused.append(lane)
            case _:
                raise outcome
    for lane, at in zip(refused, await _together(_state, bus, refused), strict=True):
        lane.at = at


async def _events(bus: Bus, lanes: Sequence[Lane], number: int) -> None:
    drafts = [
        Draft(event.subject, event.body, event.id, event.headers, Fence(lane.subject, lane.end))
        for lane in lanes
        for event in (lane.events[number],)
    ]
    refused = []
    for lane, outcome in zip(lanes, await bus.publish_all(drafts), strict=True):
        match outcome:
            case Stored(duplicate=False):
                lane.end = outcome.sequence
            case Stored() | SequenceMoved():
                refused.append(lane)
            case _:
                raise outcome

    async def settle(bus: Bus, lane: Lane) -> int:
        return await _event(bus, lane, lane.events[number])

    for lane, end in zip(refused, await _together(settle, bus, refused), strict=True):
        lane.end = end


async def _together(
    work: Callable[[Bus, Lane], Awaitable[Value]], bus: Bus, lanes: Iterable[Lane]
) -> list[Value]:
    """Do something for each lane, some at once; a failure waits until all are done."""
    turns = asyncio.Semaphore(ASKED_MAX)

    async def one(lane: Lane) -> Value | BusDown | StreamBehind:
        async with turns:
            try:
                return await work(bus, lane)
            except (BusDown, StreamBehind) as failure:
                return failure

    done: list[Value] = []
    for found in await asyncio.gather(*map(one, lanes)):
        if isinstance(found, BusDown | StreamBehind):
            raise found
        done.append(found)
    return done


async def _event(bus: Bus, lane: Lane, message: Outgoing) -> int:
    """
    Store an event that was refused behind what is there; skip it when it is there.

    Returns:
        Its stream sequence; 0 when later ones are there already, so that the next one asks.
    Raises:
        StreamBehind: the message before it is not in the stream.
    """
    while True:
        last = await bus.last_message(STREAM, lane.subject)
        place = place_in(last)
        if place.sequence > message.place.sequence:
            return 0
        if last is not None and place.sequence == message.place.sequence:
            if place != message.place:
                log = structlog.get_logger()
                log.error("the stream has another event", event_id=message.id)
            return last.seq or 0
        if place.sequence < message.place.sequence - 1:
            raise StreamBehind(f"{message.id} has nothing before it")
        fence = Fence(lane.subject, (last.seq or 0) if last else 0)
        try:
            stored = await bus.publish(
                message.subject, message.body, message.id, message.headers, fence
            )
        except SequenceMoved:
            continue
        if not stored.duplicate:
            return stored.sequence


async def _state(bus: Bus, lane: Lane) -> int:
    """Store a loan's state that was refused behind the one that is there, unless it is later."""
    state = lane.state
    while True:
        last = await bus.last_message(STATE_STREAM, state.subject)
        found = int((last.headers or {}).get("ce-sequence", "0")) if last else 0
        if last is not None and found >= state.place.sequence:
            return last.seq or 0
        fence = Fence(state.subject, (last.seq or 0) if last else 0)
        try:
            return (await bus.publish(state.subject, state.body, "", state.headers, fence)).sequence
        except SequenceMoved:
            continue


def place_in(message: RawStreamMsg | None) -> Place:
    """Return the place that a loan's last message in the stream stands for."""
    return place_of(message.headers or {}, message.data or b"") if message else Place()
