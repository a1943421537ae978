"""From the log to JetStream: in order per loan, fenced, and again where the stream lost some."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

import structlog

from services.ledger.adapters.digests import day_so_far, mend_digest, tell_digest
from services.ledger.adapters.lanes import StreamBehind, lane_of, place_in, publish
from services.ledger.adapters.read_models import ReadModels, Told
from services.ledger.adapters.states_told import say_states_told
from services.ledger.adapters.told import SAVE_SECONDS, ToldLoans
from services.ledger.application.following import Followed, Follower
from services.ledger.wire_digest import DayTold
from services.ledger.wire_events import told as told_as
from shared.runtime.bus import Bus, BusDown
from shared.runtime.stopping import unless
from shared.runtime.streams import (
    DELINQUENCY,
    STATE_STREAM,
    STATES_TOLD,
    STREAM,
    StreamUnsafe,
    require_fencing,
    require_safe,
)

PAGE = 500
POLL_SECONDS, UNSAFE_SECONDS, LOOK_SECONDS = 0.2, 5.0, 30.0
WHOLE_LOOKS, WHOLE_SECONDS = 5, 0.4


@dataclass(frozen=True, slots=True)
class StreamSafety:
    """How safe the stream has to be; see `require_safe`."""

    production: bool = False
    replicas: int = 1
    monitor_url: str = ""


@dataclass(slots=True)
class Relay:
    """
    Publishes what the log says; killed anywhere, it loses, doubles and reorders nothing.

    Each message is stored only behind the loan's message before it, so that two relays at once, or
    one that repeats itself, cannot double or fork a loan's events. `told` is what we know of the
    stream; where it is wrong or old the stream is asked.
    """

    follower: Follower
    tables: ReadModels
    nats_url: str
    safety: StreamSafety = field(default_factory=StreamSafety)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    rebuilding: bool = False
    page: int = PAGE
    look_seconds: float = LOOK_SECONDS
    save_seconds: float = SAVE_SECONDS
    told: ToldLoans = field(init=False)
    day: DayTold = field(default_factory=DayTold)

    def __post_init__(self) -> None:
        """Know what the tables know."""
        self.told = ToldLoans(self.tables, self.save_seconds)

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until told to stop; while NATS is away the log keeps what is to come."""
        bus = await Bus.connect_unless(stop, self.nats_url, "ledger-relay")
        if bus is None:
            return
        while not stop.is_set():
            try:
                await self._follow(bus, stop)
            except BusDown as failure:
                structlog.get_logger().warning("relay waits for NATS", failure=str(failure))
                await asyncio.sleep(POLL_SECONDS)
            except StreamBehind as failure:
                self.rebuilding = True
                structlog.get_logger().error("relay begins again", failure=str(failure))
            except StreamUnsafe as refusal:
                structlog.get_logger().error("nothing is published", refusal=str(refusal))
                await _pause(stop, UNSAFE_SECONDS)
        await self.told.save()
        await bus.close()

    async def _follow(self, bus: Bus, stop: asyncio.Event) -> None:
        await unless(stop, bus.ensure_streams(self.safety.replicas))
        if stop.is_set():
            return
        require_fencing(bus.server_version)
        config = (await bus.info()).config
        require_safe(config, self.safety.monitor_url, production=self.safety.production)
        connections = bus.reconnects
        position, looked_at = await self._begin(bus), monotonic()
        await mend_digest(bus, self.follower, position)
        said = False
        while not stop.is_set():
            if monotonic() - looked_at > self.look_seconds:
                looked_at = monotonic()
                await self._look(bus)
            if bus.reconnects != connections:
                raise BusDown("connected anew: the stream may be another")
            self.woken.clear()
            before, position = position, await self._step(bus, position)
            # What came meanwhile is told together once we are woken for it.
            if position - before < self.page:
                if not said:
                    await self._say_states_told(bus)
                    said = True
                await _pause(self.woken, POLL_SECONDS)

    async def _begin(self, bus: Bus) -> int:
        """Return where to go on: at our position; at the log's start if the stream lost some."""
        position = await self.told.begin()
        rebuilding, self.rebuilding = self.rebuilding, False
        lacking = "a message had nothing before it"
        for _ in range(0 if rebuilding else WHOLE_LOOKS):
            lacking = await self._lacks(bus)
            if not lacking:
                return position
            # A server that has just become the leader may not have caught up with its own log.
            await asyncio.sleep(WHOLE_SECONDS)
        log = structlog.get_logger()
        log.error("the stream lacks messages; it is rebuilt from the log", lacking=lacking)
        await say_states_told(bus, whole=False)
        await self.told.forget()
        return 0

    async def _say_states_told(self, bus: Bus) -> None:
        """Say, at the end of the log, that every loan has its last state."""
        await self.told.save()
        loans, _, _ = await self.tables.told_last()
        await say_states_told(bus, whole=True, loans=loans)

    async def _look(self, bus: Bus) -> None:
        """Begin again when somebody emptied a stream under us."""
        await self.told.save()
        if lacking := await self._lacks(bus):
            raise BusDown(f"the stream may lack messages: {lacking}")

    async def _lacks(self, bus: Bus) -> str:
        """Say what is not where we stored it: the last event, or a state; empty when all is."""
        loans, loan_id, last = await self.tables.told_last()
        if not loans:
            return ""
        found = await bus.last_message(STREAM, f"{DELINQUENCY}.*.{loan_id}")
        said = await bus.last_message(STATE_STREAM, STATES_TOLD) is not None
        states = (await bus.info(STATE_STREAM)).state.messages - said
        if states < loans:
            return f"{states} states of {loans}"
        at, place = (found.seq or 0) if found else 0, place_in(found)
        if at < last.stream_sequence or place.sequence < last.sequence:
            return f"{loan_id}/{last.sequence} was at {last.stream_sequence}, is {place} at {at}"
        return ""

    async def _step(self, bus: Bus, position: int) -> int:
        page = await asyncio.to_thread(self.follower.page, position, self.page)
        if page.reached == position:
            return position
        if self.day.reached != position:
            self.day = await asyncio.to_thread(day_so_far, self.follower, position)
        moved: dict[str, Told] = {}
        rows = page.followed
        for closed in page.closed:
            before = [row for row in rows if row.logged.position < closed.position]
            rows = rows[len(before) :]
            moved |= await self._tell(bus, before)
            await tell_digest(bus, self.day.close(closed))
            await self.told.note(moved, closed.position)
        moved |= await self._tell(bus, rows)
        self.day.reached = page.reached
        await self.told.note(moved, page.reached)
        return page.reached

    async def _tell(self, bus: Bus, rows: Sequence[Followed]) -> dict[str, Told]:
        """Publish some facts and count them; return where their loans' messages end."""
        lanes: dict[str, list[Followed]] = {}
        for row in rows:
            if told_as(row.event):
                lanes.setdefault(row.event.loan_id, []).append(row)
        known = await self.told.of(lanes)
        going = [lane_of(name, lane, known.get(name, Told())) for name, lane in lanes.items()]
        await publish(bus, going)
        for row in rows:
            self.day.take(row)
        return {lane.loan_id: lane.told for lane in going}


async def _pause(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
