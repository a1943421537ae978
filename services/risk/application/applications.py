"""Follow applications to their end: what people approve counts, what falls through does not."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from services.risk.application.book import latest
from services.risk.application.exposures import Exposures
from services.risk.application.watch import Watch
from services.risk.domain.loss_sharing import Secured
from services.risk.domain.reservation import Heard, LoanEnded, heard, loan_event
from shared.runtime.records import Work

PLACE, DRAFT = "origination", "DRAFT"


class ReadTo(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stream was read: its sequence."""

    sequence: int


@dataclass(slots=True)
class Applications:
    """What is heard, and how far, is one transaction; heard again it changes nothing."""

    book: Exposures
    watch: Watch | None = None

    async def place(self) -> int:
        """Return the sequence of the last message heard; 0 before the first."""
        async with self.book.records.work() as work:
            found = await work.get(ReadTo, PLACE)
        return found.sequence if found else 0

    async def hear(self, told: list[Heard], sequence: int) -> None:
        """Take applications in, in the order of the stream."""
        async with self.book.work() as work:
            for one in told:
                await self._hear(work, one)
            await work.put(ReadTo(sequence=sequence), PLACE)

    async def _secure(self, work: Work, told: Heard) -> None:
        """Keep what stands behind a loan; it is no news before there was anything."""
        now = Secured(loan_id=told.loan_id, securities=told.securities)
        before = await work.get(Secured, told.loan_id)
        if now != before and (before or told.securities):
            await work.put(now, told.loan_id)

    async def _hear(self, work: Work, told: Heard) -> None:
        before = await self.book.get(work, told.application_id)
        decided = None if before else await latest(work, told.application_id)
        after = heard(before, told, decided.application if decided else None)
        if after is not None and after != before:
            ended = await work.get(LoanEnded, told.loan_id) if told.loan_id else None
            await self.book.put(work, [loan_event(after, ended.type) if ended else after])
        if told.loan_id and after is not None:
            await self._secure(work, told)
        if self.watch and told.applied_on and told.status != DRAFT:
            name, who = told.application_id, told.borrower_ref
            await self.watch.applied(work, name, who, told.currency, told.applied_on)
