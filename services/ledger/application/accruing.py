"""At each month end, book the income that was earned: one journal per currency, not per loan."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from services.ledger.application.posting import Writer
from services.ledger.application.projecting import CaughtUp
from services.ledger.domain.accruals import accrual, month_ends
from services.ledger.domain.book_events import AccrualPosted


class AccruingLoans(Protocol):
    """Knows whose contract books income when it is earned."""

    async def accruing(self) -> list[tuple[str, str]]:
        """Return currency and loan id of every such loan, in that order."""


@dataclass(slots=True)
class Accruals:
    """Posts the accrual journals."""

    writer: Writer
    followers: CaughtUp
    loans: AccruingLoans

    async def close_months(self, to: date, request_id: str, now: datetime) -> None:
        """
        Post every month end after the business date and up to a date.

        A run that was cut short goes on where it stopped: a month end is posted once per currency.
        """
        on = self.writer.business_on
        ends = month_ends(on, to) if on else []
        if not ends:
            return
        await self.followers.caught_up()
        by_currency: dict[str, list[str]] = {}
        for currency, loan_id in await self.loans.accruing():
            by_currency.setdefault(currency, []).append(loan_id)
        for currency, loan_ids in by_currency.items():
            for end in ends:
                await asyncio.to_thread(self._post, currency, loan_ids, end, request_id, now)
        if by_currency:
            self.writer.on_commit()

    def _post(
        self, currency: str, loan_ids: list[str], on: date, request_id: str, now: datetime
    ) -> None:
        stream = f"accrual/{currency}"
        posted = self.writer.log.stream(stream)
        last = posted[-1] if posted else None
        assert last is None or isinstance(last, AccrualPosted)
        if last is not None and last.on >= on:
            return
        accounts = (self.writer.account(loan_id) for loan_id in loan_ids)
        event = accrual(
            (account for account in accounts if account is not None),
            last,
            on=on,
            currency=currency,
            request_id=request_id,
            recorded_at=now,
        )
        self.writer.thread.submit(self.writer.log.append, [(stream, len(posted), [event])]).result()
