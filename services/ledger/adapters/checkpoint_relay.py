"""The newest signed checkpoint of the sealed log, where every subscriber can hold us to it."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass

import structlog

from services.ledger.adapters.seals import Sealed, Seals
from shared.audit import merkle
from shared.runtime.bus import Bus, BusDown, Fence, SequenceMoved
from shared.runtime.streams import CHECKPOINT, STREAM

EVERY_SECONDS = 2.0


@dataclass(slots=True)
class CheckpointRelay:
    """
    Publishes checkpoints as they grow, at most one every two seconds.

    Each carries the proof that it grew from the one told before it, so that a subscriber needs to
    ask nobody. A ledger that holds less than it told before was rolled back: that is an error.
    """

    seals: Seals
    nats_url: str
    size: int = 0
    after: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until told to stop."""
        bus = await Bus.connect_unless(stop, self.nats_url, "ledger-checkpoints")
        if bus is None:
            return
        while not stop.is_set():
            try:
                sealed = await self.seals.checkpoint()
                if sealed is not None and sealed.size > self.size:
                    await self._publish(bus, sealed)
            except BusDown as failure:
                structlog.get_logger().warning("checkpoint waits", failure=str(failure))
            try:
                await asyncio.wait_for(stop.wait(), EVERY_SECONDS)
            except TimeoutError:
                continue
        await bus.close()

    async def _publish(self, bus: Bus, sealed: Sealed) -> None:
        """Store it behind the last one; only a larger one follows."""
        headers = {
            "ce-specversion": "1.0",
            "ce-id": f"checkpoint/{sealed.size}",
            "ce-source": "duebook/ledger",
            "ce-type": "lending.ledger.v1.Checkpoint",
            "ce-subject": "checkpoint",
            "ce-size": str(sealed.size),
            "ce-previoussize": str(self.size),
            "ce-consistency": " ".join(await self._proof(self.size, sealed.size)),
            "content-type": "text/plain; charset=utf-8",
        }
        fence = Fence(CHECKPOINT, self.after)
        try:
            stored = await bus.publish(CHECKPOINT, sealed.note.encode(), "", headers, fence)
            self.size, self.after = sealed.size, stored.sequence
        except SequenceMoved:
            await self._look(bus, sealed)

    async def _look(self, bus: Bus, sealed: Sealed) -> None:
        """Go on behind what the stream holds; where it holds none, behind what we told before."""
        last = await bus.last_message(STREAM, CHECKPOINT)
        self.after = (last.seq or 0) if last else 0
        if last is None:
            return
        self.size = int((last.headers or {}).get("ce-size", "0"))
        if self.size > sealed.size:
            log = structlog.get_logger()
            log.error("the log is smaller than it was told", told=self.size, sealed=sealed.size)

    async def _proof(self, first: int, second: int) -> list[str]:
        def ask(get: merkle.Get) -> list[bytes]:
            return merkle.consistency(first, second, get)

        nodes = await self.seals.nodes(merkle.needed(ask))
        return [base64.b64encode(one).decode() for one in ask(nodes.__getitem__)]
