"""From the log to JetStream: in order, with deterministic ids, position stored after the acks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from services.ledger.adapters.read_models import ReadModels
from services.ledger.application.following import Followed, Follower
from services.ledger.wire_events import Outgoing, outgoing_of
from shared.runtime.bus import Bus, BusDown

PAGE = 200
POLL_SECONDS = 0.2


@dataclass(slots=True)
class Relay:
    """Publishes what the log says; killed anywhere, it loses and reorders nothing."""

    follower: Follower
    tables: ReadModels
    nats_url: str
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    sequences: dict[str, int] = field(default_factory=dict)
    checked: set[str] = field(default_factory=set)

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until told to stop; while NATS is away the log keeps what is to come."""
        bus = await Bus.connect_unless(stop, self.nats_url, "ledger-relay")
        if bus is None:
            return
        await bus.ensure_stream()
        position = await self.tables.position("relay")
        self.sequences = await self.tables.message_sequences()
        while not stop.is_set():
            self.woken.clear()
            reached = await self._step(bus, position)
            if reached == position:
                await _pause(self.woken, POLL_SECONDS)
            position = reached
        await bus.close()

    async def _step(self, bus: Bus, position: int) -> int:
        followed, reached, _ = await asyncio.to_thread(self.follower.page, position, PAGE)
        if reached == position:
            return position
        changed: dict[str, int] = {}
        for row in followed:
            await self._publish(bus, row, changed)
        await self.tables.published(changed, reached)
        return reached

    async def _publish(self, bus: Bus, row: Followed, changed: dict[str, int]) -> None:
        loan_id = row.event.loan_id
        for message in outgoing_of(row, self.sequences.get(loan_id, 0) + 1):
            await self._send(bus, loan_id, message)
            self.sequences[loan_id] = changed[loan_id] = message.sequence

    async def _send(self, bus: Bus, loan_id: str, message: Outgoing) -> None:
        """Publish one message until it is stored; skip it when a run before us stored it."""
        while True:
            try:
                if loan_id not in self.checked:
                    headers = await bus.last_headers(f"lending.v1.delinquency.*.{loan_id}")
                    last = int((headers or {}).get("ce-sequence", "0"))
                    if message.sequence <= last:
                        return
                    self.checked.add(loan_id)
                await bus.publish(message.subject, message.body, message.id, message.headers)
                return
            except BusDown as failure:
                structlog.get_logger().warning("relay waits for NATS", failure=str(failure))
                self.checked.clear()
                await asyncio.sleep(POLL_SECONDS)


async def _pause(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
