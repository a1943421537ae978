"""Close days: only loans whose date has come are touched, and each change is recorded once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from time import monotonic
from typing import Protocol

import structlog

from services.ledger.application.accruing import Accruals
from services.ledger.application.asks import Ask
from services.ledger.application.posting import Writer
from services.ledger.application.projecting import CaughtUp
from services.ledger.domain.book_events import BusinessDateAdvanced
from services.ledger.domain.commands import AgeLoan
from services.ledger.domain.refusals import DateOutOfOrder, RequestIdReused

PART = 500
"""Loans of one part: stored together, so that a run that was cut short goes on after it."""

SAY_SECONDS = 5.0


class DueLoans(Protocol):
    """Knows whose date has come."""

    async def due_for_ageing(self, on: date) -> list[str]:
        """Return the loans whose next change of standing is on or before a date."""


@dataclass(slots=True)
class AgeingRun:
    """How far a run has come; `seconds` since it began."""

    to: date
    loans_due: int = 0
    loans_done: int = 0
    loans_changed: int = 0
    seconds: float = 0.0

    @property
    def loans_per_second(self) -> int:
        """Whole loans per second so far."""
        return int(self.loans_done / self.seconds) if self.seconds > 0 else 0

    @property
    def seconds_left(self) -> int:
        """Whole seconds at the rate so far, rounded up; 0 when not known."""
        left, rate = max(0, self.loans_due - self.loans_done), self.loans_per_second
        return -(-left // rate) if rate else 0


@dataclass(slots=True)
class Ageing:
    """Moves the business date; `run` is set while it does."""

    writer: Writer
    followers: CaughtUp
    due: DueLoans
    accruals: Accruals
    turn: asyncio.Lock
    run: AgeingRun | None = None
    part: int = PART
    clock: Callable[[], float] = monotonic

    async def advance(self, to: date, request_id: str, now: datetime) -> BusinessDateAdvanced:
        """
        Close every day up to a date.

        Each part of the loans is stored together. A run that was cut short, by a kill or by a
        caller who hung up, goes on with the loans that are left when the date is asked for again.

        Args:
            to: The new business date.
            request_id: Names the run in the events that it records.
            now: When it runs.
        Returns:
            What was closed; the same date again closes nothing and changes nothing.
        Raises:
            DateOutOfOrder: the date lies before the business date.
            RequestIdReused: the request closed days up to another date.
        """
        async with self.turn:
            first = self.writer.closings.get(request_id)
            if first is not None and first.on != to:
                raise RequestIdReused(
                    f"it closed {first.on}", field="request_id", expected="a new id"
                )
            if first is not None:
                return first
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
                self.run = None

    async def _close(self, to: date, request_id: str, now: datetime) -> BusinessDateAdvanced:
        await self.accruals.close_months(to, request_id, now)
        self.run = run = AgeingRun(to)
        while loans := await self._loans(to):
            run.loans_due = run.loans_done + len(loans)
            await self._pass(run, loans, request_id, now)
        closed = BusinessDateAdvanced(
            on=to,
            recorded_at=now,
            request_id=request_id,
            loans_changed=run.loans_changed,
            loans_touched=run.loans_done,
        )
        if to != self.writer.business_on:
            await self.writer.close_day(closed)
        return closed

    async def _loans(self, to: date) -> list[str]:
        await self.followers.caught_up()
        return await self.due.due_for_ageing(to)

    async def _pass(self, run: AgeingRun, loans: list[str], request_id: str, now: datetime) -> None:
        """Go once through the loans that are due, part by part."""
        began = said = self.clock()
        before = run.seconds
        for start in range(0, len(loans), self.part):
            part = loans[start : start + self.part]
            run.loans_changed += await self._age(part, run.to, request_id, now)
            run.loans_done += len(part)
            run.seconds = before + self.clock() - began
            if self.clock() - said >= SAY_SECONDS:
                said = self.clock()
                _say(run)

    async def _age(self, loans: list[str], to: date, request_id: str, now: datetime) -> int:
        """Record what changes for the loans of one part; return how many changed."""
        asks = [
            Ask(
                AgeLoan(
                    loan_id=loan_id,
                    request_id=request_id,
                    recorded_at=now,
                    business_on=to,
                    to_on=to,
                ),
                "",
            )
            for loan_id in loans
        ]
        await self.writer.ask_all(asks, patient=True)
        for ask in asks:
            if isinstance(ask.outcome, Exception):
                raise ask.outcome
        return sum(1 for ask in asks if ask.events)


def _say(run: AgeingRun) -> None:
    structlog.get_logger().info(
        "closing days",
        to=run.to.isoformat(),
        loans_done=run.loans_done,
        loans_due=run.loans_due,
        loans_per_second=run.loans_per_second,
        seconds_left=run.seconds_left,
    )
