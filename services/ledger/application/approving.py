"""Approvals: written to the log before the change, looked for when it is asked for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from services.ledger.application.ports import StreamChanged
from services.ledger.application.posting import Writer
from services.ledger.domain import approvals as domain
from services.ledger.domain.approvals import Change
from services.ledger.domain.book_events import ChangeApproved
from services.ledger.domain.refusals import LoanChangedMeanwhile, RequestIdReused

ATTEMPTS_MAX = 3


@dataclass(slots=True)
class Approvals:
    """The approvals of each change, in the stream approval/<request id of the change>."""

    writer: Writer

    async def approve(
        self, change: Change, by: str, request_id: str, now: datetime
    ) -> ChangeApproved:
        """
        Record an approval; the same request again gets the first one.

        Raises:
            RequestIdReused: the request id approved something else.
            ApproverIsAnother: the change names somebody else as its approver.
        """
        loop = asyncio.get_running_loop()
        for _ in range(ATTEMPTS_MAX):
            given = await self._given(change.request_id)
            first = _first(given, change, by, request_id)
            if first is not None:
                return first
            event = domain.approved(change, by, request_id, now)
            stream = [(_stream(change.request_id), len(given), [event])]
            try:
                await loop.run_in_executor(self.writer.thread, self.writer.log.append, stream)
            except StreamChanged:
                continue
            self.writer.on_commit()
            return event
        raise LoanChangedMeanwhile("others approve the same change", field="request_id")

    async def first(self, change: Change, by: str, request_id: str) -> ChangeApproved | None:
        """Return what the request recorded before; None when it is new."""
        return _first(await self._given(change.request_id), change, by, request_id)

    async def require(self, change: Change, maker: str, now: datetime) -> None:
        """
        Refuse a change that no second person approved; one answered before gets its first answer.

        Raises:
            ApprovalMissing, ApprovalExpired, ApproverIsMaker, ApproverIsAnother: as they say.
        """
        if await asyncio.to_thread(self.writer.log.stream, f"request/{change.request_id}"):
            return
        domain.require(await self._given(change.request_id), change, maker, now)

    async def _given(self, request_id: str) -> list[ChangeApproved]:
        found = await asyncio.to_thread(self.writer.log.stream, _stream(request_id))
        return [one for one in found if isinstance(one, ChangeApproved)]


def _first(
    given: list[ChangeApproved], change: Change, by: str, request_id: str
) -> ChangeApproved | None:
    for one in given:
        if one.request_id == request_id:
            if (one.body_sha256, one.approved_by) != (change.body_sha256, by):
                raise RequestIdReused("it approved another change", field="request_id")
            return one
    return None


def _stream(request_id: str) -> str:
    return f"approval/{request_id}"
