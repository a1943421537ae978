"""Approvals: written to the log before the change, looked for when it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeGuard

import structlog

from services.ledger.application.ports import LogUnavailable, StreamChanged
from services.ledger.application.posting import Writer
from services.ledger.domain import approvals as domain
from services.ledger.domain.approvals import Change
from services.ledger.domain.book_events import (
    ApprovalRuleChanged,
    ChangeApproved,
    RequestAnswered,
)
from services.ledger.domain.refusals import LoanChangedMeanwhile, RequestIdReused
from shared.audit.approvals import RULE

ATTEMPTS_MAX = 3


class Request(NamedTuple):
    """The request that approves: its own id, and the hash of its body."""

    request_id: str
    body_sha256: str


@dataclass(slots=True)
class Approvals:
    """The approvals of each change, in the stream approval/<request id of the change>."""

    writer: Writer

    async def approve(
        self, change: Change, by: str, request: Request, now: datetime
    ) -> ChangeApproved:
        """
        Record an approval and that its request is answered; the same again gets the first one.

        Raises:
            RequestIdReused: the request id had another effect, or is the change's own.
            ApproverIsAnother: the change names somebody else as its approver.
        """
        loop = asyncio.get_running_loop()
        for _ in range(ATTEMPTS_MAX):
            first = await self.first(change, by, request)
            if first is not None:
                return first
            given = await self._given(change.request_id)
            event = domain.approved(change, by, request.request_id, now)
            streams = [
                (_stream(change.request_id), len(given), [event]),
                (f"request/{request.request_id}", 0, [_answer(event, request)]),
            ]
            try:
                await loop.run_in_executor(self.writer.thread, self.writer.log.append, streams)
            except StreamChanged:
                continue
            self.writer.on_commit()
            return event
        raise LoanChangedMeanwhile("others approve the same change", field="request_id")

    async def first(self, change: Change, by: str, request: Request) -> ChangeApproved | None:
        """
        Return what the request recorded before; None when it is new.

        Raises:
            RequestIdReused: the request id had another effect, or is the change's own.
        """
        if request.request_id == change.request_id:
            raise RequestIdReused("it is the change's own id", field="request_id")
        stored = await asyncio.to_thread(self.writer.log.stream, f"request/{request.request_id}")
        if any(one.body_sha256 != request.body_sha256 for one in stored):
            raise RequestIdReused("it had another effect", field="request_id")
        # Earlier approvals left nothing under their request's id: looked for among the change's.
        return _first(await self._given(change.request_id), change, by, request.request_id)

    async def require(self, change: Change, maker: str, now: datetime) -> datetime | None:
        """
        Refuse a change that no second person approved; one answered before gets its first answer.

        Returns:
            Until when the approval holds; None where the change was answered before.
        Raises:
            ApprovalMissing, ApprovalExpired, ApproverIsMaker, ApproverIsAnother: as they say.
        """
        if await asyncio.to_thread(self.writer.log.stream, f"request/{change.request_id}"):
            return None
        return domain.require(await self._given(change.request_id), change, maker, now).expires_at

    async def _given(self, request_id: str) -> list[ChangeApproved]:
        found = await asyncio.to_thread(self.writer.log.stream, _stream(request_id))
        return [one for one in found if isinstance(one, ChangeApproved)]


@dataclass(slots=True)
class ApprovalRules:
    """Writes to the log which changes need a second person, before any change is made by it."""

    writer: Writer
    now: Callable[[], datetime]

    def tell(self, methods: Iterable[str], vouchers: Iterable[tuple[str, str]]) -> Future[None]:
        """
        Say what holds from here on; nothing is written where the log says so already.

        The writer's thread does it, in turn: what is committed later is under this rule.
        """
        event = ApprovalRuleChanged(
            recorded_at=self.now(),
            methods=tuple(sorted(methods)),
            vouchers=tuple(sorted(vouchers)),
        )
        return self.writer.thread.submit(self._tell, event)

    def _tell(self, event: ApprovalRuleChanged) -> None:
        for attempt in range(ATTEMPTS_MAX):
            try:
                said = self.writer.log.stream(RULE)
                last = said[-1] if said else None
                before = (last.methods, last.vouchers) if _is_rule(last) else ((), ())
                if before != (event.methods, event.vouchers):
                    self.writer.log.append([(RULE, len(said), [event])])
                return
            except (StreamChanged, LogUnavailable) as failure:
                log = structlog.get_logger()
                log.error(
                    "the approval rule is not in the log", failure=str(failure), again=attempt
                )


def _is_rule(event: object) -> TypeGuard[ApprovalRuleChanged]:
    return isinstance(event, ApprovalRuleChanged)


def _first(
    given: list[ChangeApproved], change: Change, by: str, request_id: str
) -> ChangeApproved | None:
    for one in given:
        if one.request_id == request_id:
            if (one.body_sha256, one.approved_by) != (change.body_sha256, by):
                raise RequestIdReused("it approved another change", field="request_id")
            return one
    return None


def _answer(event: ChangeApproved, request: Request) -> RequestAnswered:
    """Return what is kept under the request's id: it had its effect, on no version of a loan."""
    return RequestAnswered(
        request_id=request.request_id,
        body_sha256=request.body_sha256,
        loan_id=event.loan_id,
        loan_version=0,
        business_on=None,
    )


def _stream(request_id: str) -> str:
    return f"approval/{request_id}"
