"""Close days: only loans whose date has come are touched, and each change is recorded once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from services.ledger.application.accruing import Accruals
from services.ledger.application.posting import Writer
from services.ledger.application.projecting import CaughtUp
from services.ledger.domain.book_events import BusinessDateAdvanced
from services.ledger.domain.commands import AgeLoan
from services.ledger.domain.refusals import DateOutOfOrder


class DueLoans(Protocol):
    """Knows whose date has come."""

    async def due_for_ageing(self, on: date) -> list[str]:
        """Return the loans whose next change of standing is on or before a date."""


@dataclass(slots=True)
class Ageing:
    """Moves the business date."""

    writer: Writer
    followers: CaughtUp
    due: DueLoans
    accruals: Accruals
    turn: asyncio.Lock

    async def advance(self, to: date, request_id: str, now: datetime) -> BusinessDateAdvanced:
        """
        Close every day up to a date.

        Args:
            to: The new business date.
            request_id: Names the run in the events that it records.
            now: When it runs.
        Returns:
            What was closed; the same date again closes nothing and changes nothing.
        Raises:
            DateOutOfOrder: the date lies before the business date.
        """
        async with self.turn:
            on = self.writer.business_on
            if on is not None and to < on:
                raise DateOutOfOrder(
                    f"{to} is before the business date", field="to", expected=f"from {on}"
                )
            self.writer.open[self.turn] = now
            try:
                return await self._close(to, request_id, now)
            finally:
                del self.writer.open[self.turn]

    async def _close(self, to: date, request_id: str, now: datetime) -> BusinessDateAdvanced:
        await self.accruals.close_months(to, request_id, now)
        touched = 0
        while loans := await self._loans(to):
            touched += len(loans)
            asks = [self._age(loan_id, to, request_id, now) for loan_id in loans]
            await asyncio.gather(*asks)
        closed = BusinessDateAdvanced(
            on=to,
            recorded_at=now,
            request_id=request_id,
            loans_changed=touched,
            loans_touched=touched,
        )
        if to != self.writer.business_on:
            await self.writer.close_day(closed)
        return closed

    async def _loans(self, to: date) -> list[str]:
        await self.followers.caught_up()
        return await self.due.due_for_ageing(to)

    async def _age(self, loan_id: str, to: date, request_id: str, now: datetime) -> None:
        await self.writer.ask(
            AgeLoan(
                loan_id=loan_id, request_id=request_id, recorded_at=now, business_on=to, to_on=to
            )
        )
