"""Decisions asked for at the same time are made one after the other, and committed together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from lending.risk.v1 import risk_service_pb2 as pb

from services.risk.application.book import Decided
from services.risk.application.confirmed import confirmed_of, keep_confirmed, name_of
from services.risk.application.deciding import Deciding
from services.risk.application.informing import Informing
from services.risk.application.ports import DecisionMessages
from services.risk.application.watch import Income, Watch
from services.risk.domain.application import Application
from services.risk.domain.reports import Confirmed, usable_report
from services.risk.domain.reservation import Reservation
from shared.kernel.errors import LendingError
from shared.runtime.outbox import Owed
from shared.runtime.records import Work
from shared.runtime.telemetry import current_traceparent

TOGETHER_MAX = 200


@dataclass(slots=True)
class Asked:
    """One request that waits for its decision."""

    request: pb.ScoreApplicationRequest
    application: Application
    traceparent: str
    answer: asyncio.Future[pb.Decision]

    @property
    def names(self) -> set[str]:
        """What at most one of those decided together may have."""
        return {f"request {self.request.request_id}", f"of {self.application.application_id}"}


@dataclass(slots=True)
class Made:
    """What one transaction decides; what was reserved and confirmed before, and is by then."""

    before: dict[str, Reservation] = field(default_factory=dict)
    confirmed: dict[str, Confirmed] = field(default_factory=dict)
    more: set[str] = field(default_factory=set)
    decisions: list[Decided] = field(default_factory=list)
    answers: list[tuple[Any, pb.Decision]] = field(default_factory=list)
    owed: list[Owed] = field(default_factory=list)
    reserved: list[Reservation] = field(default_factory=list)


@dataclass(slots=True)
class DecisionDesk:
    """Answers every request once; those that wait share a transaction, and so its one sync."""

    deciding: Deciding
    messages: DecisionMessages
    watch: Watch | None = None
    informing: Informing | None = None
    waiting: list[Asked] = field(default_factory=list)
    running: asyncio.Task[None] | None = None

    async def ask(self, request: pb.ScoreApplicationRequest) -> pb.Decision:
        """
        Decide on a request; the same again gets the first answer.

        With `validate_only` nothing is kept, and no source is asked: that is an enquiry, which
        others see.
        """
        application = self.messages.application(request)
        if self.informing is None or not self.informing.answers:
            return await self._decided(request, application)
        if not request.validate_only:
            async with self.deciding.records.work() as work:
                first = await work.answered(request, pb.Decision)
            if first is not None:
                return first
        ask = not request.validate_only
        try:
            informed = await self.informing.informed(application, ask=ask)
            return await self._decided(request, informed)
        finally:
            if ask:
                self.informing.kept(application.application_id)

    async def _decided(
        self, request: pb.ScoreApplicationRequest, application: Application
    ) -> pb.Decision:
        """Wait for a turn, and return what was decided."""
        answer = asyncio.get_running_loop().create_future()
        asked = Asked(request, application, current_traceparent(), answer)
        self.waiting.append(asked)
        # A task of its own: who hangs up takes nobody's answer away.
        if self.running is None or self.running.done():
            self.running = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        while self.waiting:
            together = self._next()
            try:
                await self._answer(together)
            except Exception as failure:
                log = structlog.get_logger()
                log.warning("decided one by one", requests=len(together), failure=repr(failure))
                for one in together:
                    await self._alone(one)

    async def _alone(self, asked: Asked) -> None:
        try:
            await self._answer([asked])
        except Exception as failure:
            if not asked.answer.done():
                asked.answer.set_exception(failure)

    def _next(self) -> list[Asked]:
        """Take what waits, but nothing twice: the second of a name goes with the next ones."""
        taken, names, later = list[Asked](), set[str](), list[Asked]()
        for one in self.waiting:
            if len(taken) == TOGETHER_MAX or one.names & names:
                later.append(one)
                continue
            taken.append(one)
            names |= one.names
        self.waiting = later
        return taken

    async def _answer(self, together: Sequence[Asked]) -> None:
        made, said = Made(), list[pb.Decision | LendingError]()
        async with self.deciding.book.work() as work:
            kept = [one.request for one in together if not one.request.validate_only]
            # Another process may be answering one of them by itself: its answer is then the first.
            await work.hold(*(f"request/{one.request_id}" for one in kept))
            first = await work.answered_all(kept, pb.Decision)
            names = {one.application.application_id for one in together}
            made.before = await self.deciding.book.get_all(work, names)
            made.confirmed = await confirmed_of(work, (one.application for one in together))
            said = [
                first.get(one.request.request_id) or self._decide(one, made) for one in together
            ]
            if made.decisions:
                await self._keep(work, made)
        for one, answer in zip(together, said, strict=True):
            if one.answer.done():
                continue
            if isinstance(answer, LendingError):
                one.answer.set_exception(answer)
            else:
                one.answer.set_result(answer)

    def _decide(self, asked: Asked, made: Made) -> pb.Decision | LendingError:
        """Decide, and count an approval at once: the next decision sees it."""
        request = asked.request
        name = "" if request.validate_only else request.request_id
        who = name_of(asked.application.borrower_ref, asked.application.currency)
        confirmed = made.confirmed.get(who, Confirmed())
        try:
            decision = self.deciding.decide(asked.application, name, confirmed)
        except LendingError as refusal:
            return refusal
        answer = self.messages.decision_message(decision.decision, name)
        if request.validate_only:
            return answer
        subject, body = self.messages.decision_made(decision, answer)
        headers = {"ce-type": "lending.risk.v1.DecisionMade"}
        made.owed.append(Owed(subject, f"risk/{name}", body, headers, asked.traceparent))
        made.decisions.append(decision)
        made.answers.append((request, answer))
        before, given = made.before.get(asked.application.application_id), decision.application
        after = self.deciding.book.decided(before, given, approved=decision.approved)
        if after is not None:
            made.reserved.append(after)
        if given.income is not None:
            made.confirmed[who] = confirmed.with_more(given.income)
            made.more.add(who)
        return answer

    async def _keep(self, work: Work, made: Made) -> None:
        await self.deciding.keep(work, made.decisions)
        await self.deciding.book.store(work, made.reserved)
        await keep_confirmed(work, {who: made.confirmed[who] for who in made.more})
        await self._warn(work, made.decisions)
        await work.owe_all(made.owed)
        await work.remember_all(made.answers)

    async def _warn(self, work: Work, decisions: Sequence[Decided]) -> None:
        """Have early warning see usable reports and confirmed incomes of borrowers with a loan."""
        for one in decisions if self.watch else ():
            given = one.application
            if self.watch is None or not given.borrower_approved_minor:
                continue
            report = usable_report(
                given, self.deciding.policies.version(one.decision.policy_version)
            )
            if report:
                await self.watch.reported(work, given, report)
            if given.income:
                known = Income(given.income, given.decided_on, given.application_id)
                await self.watch.earned(work, given.borrower_ref, given.currency, "", known)
