"""Until told to stop: follow the business date, carry on with relief, carry out orders."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date

import structlog
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb

from services.collections.application.desk import Desk
from services.collections.application.orders import Orders
from services.collections.application.ports import Ledger
from services.collections.application.relief import Relief
from shared.kernel.errors import LendingError
from shared.subscriber.passing import is_passing

WATCH_SECONDS, ASK_SECONDS_MAX = 2.0, 2.0


@dataclass(slots=True)
class Watching:
    """Looks every two seconds; `seen_on` is the business date that was worked through."""

    desk: Desk
    orders: Orders
    ledger: Ledger
    relief: Relief
    seen_on: date | None = None

    async def watch(self, stop: asyncio.Event) -> None:
        """Look until told to stop."""
        while not stop.is_set():
            try:
                await self.look()
            except LendingError as refusal:
                structlog.get_logger().warning("the ledger is away", why=refusal.reason)
            except Exception as failure:
                if not is_passing(failure):
                    raise
                structlog.get_logger().warning("looks again", failure=repr(failure))
            try:
                await asyncio.wait_for(stop.wait(), WATCH_SECONDS)
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Look once."""
        answer = await self.ledger.GetBusinessDate(
            ledger_pb.GetBusinessDateRequest(), timeout=ASK_SECONDS_MAX
        )
        on = date.fromisoformat(answer.on) if answer.on else None
        if on is not None and on != self.seen_on:
            await self.desk.see(on)
            self.seen_on = on
        await self.relief.carry_on()
        await self.orders.carry_out_due()
