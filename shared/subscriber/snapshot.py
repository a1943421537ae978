"""Snapshot, then tail: a new subscriber takes the last state of every loan instead of its past."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from lending.ledger.v1.events_pb2 import DelinquencyState, DelinquencyStatesTold

from shared.runtime.bus import Bus
from shared.runtime.reading import Reader, to_the_end
from shared.runtime.streams import DELINQUENCY, STATE, STATE_STREAM, STATES_TOLD, STREAM
from shared.subscriber.chain import Place
from shared.subscriber.lanes import Unit

BATCH, SECONDS = 500, 5.0
OnSnapshot = Callable[[Sequence[DelinquencyState], Unit], Awaitable[None]]


class StatesMissing(Exception):
    """Somebody emptied the stream of states: wait until all of them were told again."""


async def states(bus: Bus, loan_id: str = "*") -> list[DelinquencyState]:
    """
    Return the last state of every loan, or of one; in the order of their last change.

    Raises:
        TimeoutError: they stopped coming before the last one; nothing is known then.
    """
    reader = Reader(bus.client, STATE_STREAM, [f"{STATE}.{loan_id}"])
    found: dict[str, DelinquencyState] = {}
    async for message in to_the_end(reader, BATCH, SECONDS):
        state = DelinquencyState.FromString(message.body)
        found[state.loan_id] = state
    return list(found.values())


def behind(places: Mapping[str, Place], found: Sequence[DelinquencyState]) -> list[str]:
    """
    Name what a subscriber lacks at the end of a loan, where no later event would show it.

    Args:
        places: What the subscriber knows.
        found: What the publisher says; read before `places`, so that only what stays is a fault.
    """
    return [f"{loan_id}: {why}" for loan_id, why in lacking(places, found).items()]


def lacking(places: Mapping[str, Place], found: Sequence[DelinquencyState]) -> dict[str, str]:
    """Return what `behind` names, by loan."""
    wrong = {}
    for state in found:
        place = places.get(state.loan_id, Place())
        if place.sequence < state.sequence:
            wrong[state.loan_id] = f"knows {place.sequence} of {state.sequence} events"
        elif place.sequence == state.sequence and place.hash != state.hash:
            wrong[state.loan_id] = f"event {place.sequence} is another one"
    return wrong


async def join(bus: Bus, on_snapshot: OnSnapshot[Unit], unit: Unit) -> dict[str, Place]:
    """
    Give the handler the state of every loan, within its transaction.

    The publisher stores a loan's state before the events that lead to it. So a state read after
    the end of the stream was noted lacks no event before that end; those behind it that it already
    holds are known by their numbers. Only while states are told again, from the log's start, are
    some old or missing: the publisher says so, and says when they are whole.

    Returns:
        The places that the states stand for.
    Raises:
        StatesMissing: there are events, and the states are not, or were not meanwhile, whole.
    """
    before = await _told(bus)
    found = await states(bus)
    if await bus.last_message(STREAM, f"{DELINQUENCY}.>") is not None:
        sequence, told = await _told(bus)
        if sequence != before[0] or not told.whole or len(found) < told.loans:
            raise StatesMissing("states of loans lack; the ledger tells them again within a minute")
    await on_snapshot(found, unit)
    return {state.loan_id: Place(state.sequence, state.hash) for state in found}


async def _told(bus: Bus) -> tuple[int, DelinquencyStatesTold]:
    """Return what was said last of the states, and where in their stream."""
    said = await bus.last_message(STATE_STREAM, STATES_TOLD)
    if said is None:
        return 0, DelinquencyStatesTold()
    return said.seq or 0, DelinquencyStatesTold.FromString(said.data or b"")
