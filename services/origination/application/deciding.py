"""The decision: checks of the applicant, risk's word with reasons, and people's where it refers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
from lending.origination.v1 import origination_service_pb2 as pb
from lending.risk.v1 import risk_service_pb2 as risk_pb

from services.origination.application.asking import Asking
from services.origination.application.desk import (
    SERVICE,
    ApplicationChangedMeanwhile,
    Desk,
    Prepared,
    unhindered,
)
from services.origination.application.offering import (
    counter_offer,
    make_offers,
    valid_until,
)
from services.origination.application.ports import Checker
from services.origination.application.terms import as_json, decision_from
from services.origination.application.trials import is_trial
from services.origination.domain.application import (
    Application,
    Check,
    Offer,
    Review,
    noted,
    offered,
    stepped,
)
from services.origination.domain.products import GradeNotPriced, Product
from services.origination.domain.review import reviewed
from services.origination.domain.state_machine import Status, Step, require
from shared.kernel.errors import InvalidArgument, LendingError, Refused, Unavailable
from shared.runtime.records import Work
from shared.runtime.requests import an_id

GONE = {Status.WITHDRAWN, Status.EXPIRED, Status.CANCELLED}
"""Where an application has ended after its decision: what was decided does not count any more."""
NO_ANSWER = Check(
    name="",
    outcome="NO_ANSWER",
    code="CHECK_NOT_ANSWERED",
    text_en="A check did not answer in time",
    text_zh="核验未在规定时间内得到答复",
)
NOT_PRICED = Check(
    name="price",
    outcome="FAILED",
    code="RISK_NOT_PRICED",
    text_en="The risk of default is above what the product has a rate for",
    text_zh="违约风险高于该产品可定价的范围",
)


@dataclass(slots=True)
class Deciding:
    """Has applications decided; once decided, they stay so."""

    desk: Desk
    risk: Any
    checkers: Mapping[str, Checker]
    check_seconds_max: float = 5.0
    waiting: set[str] = field(default_factory=set)
    looked: bool = False

    async def decide(self, application_id: str) -> Application:
        """
        Have an application decided.

        Raises:
            ServiceUnavailable: risk or ledger is away; nothing is decided, it is tried again later.
        """
        return await self.desk.carry(application_id, self._decided)

    async def answer(self, request: pb.ApplicationRequest) -> pb.Application:
        """
        Have an application decided; with an id, the same request gets the first answer.

        Raises:
            RequestIdReused: the id was used for something else.
        """
        application_id = an_id(request.application_id, "application_id")
        named = bool(request.request_id) and not is_trial()
        if named:
            an_id(request.request_id, "request_id")
            async with self.desk.records.work() as work:
                first = await work.answered(request, pb.Application, method="DecideApplication")
            if first is not None:
                return first
        answer = self.desk.message(await self.decide(application_id))

        async def decided(_: Work) -> pb.Application:
            return answer

        if not named:
            return answer
        return await self.desk.answer_once(
            request, pb.Application, decided, method="DecideApplication"
        )

    async def _decided(self, found: Application) -> Application:
        if found.status is not Status.SUBMITTED:
            self._waits_no_more(found.application_id)
            if found.status not in GONE and (found.decision_json or found.checks):
                return found
        require(found.status, Step.DECIDE)
        try:
            today = await self.desk.today(found)
            await self.desk.expire(found, today)
            return await self._decide(found, today)
        except Unavailable:
            await self._queue(found)
            raise
        except GradeNotPriced:
            checks = (*await self.check(found, self.desk.product(found, today)), NOT_PRICED)
            return await self._store(found, Status.DECLINED, today, checks=checks)
        except (Refused, InvalidArgument) as refusal:
            # Such as risk's PRODUCT_UNKNOWN: asked again by itself it would be refused again.
            await self._queue_no_more(found, refusal)
            raise

    async def _decide(self, found: Application, today: date) -> Application:
        product = self.desk.product(found, today)
        checks = await self.check(found, product)
        if any(check.outcome == "FAILED" for check in checks):
            return await self._store(found, Status.DECLINED, today, checks=checks)
        asking = Asking(self.desk, self.risk)
        decision = await asking.ask(found, product, today)
        outcome = risk_pb.DecisionOutcome.Name(decision.outcome).removeprefix("DECISION_OUTCOME_")
        doubtful = any(check.outcome != "PASSED" for check in checks)
        status = Status.REFERRED if outcome == "APPROVED" and doubtful else _STATUS[outcome]
        offers: tuple[Offer, ...] = ()
        if status is Status.OFFERED:
            probability = Decimal(decision.probability_of_default)
            offers = await make_offers(self.desk, found, probability, today)
        changes: dict[str, Any] = {"checks": checks, "decision_json": as_json(decision)}
        if status is Status.DECLINED and not doubtful:
            counter = await asking.counter(found, product, today)
            if counter is not None:
                offers = await counter_offer(self.desk, found, *counter, today)
            if counter is not None and offers:
                status, changes["asked_decision_json"] = Status.OFFERED, changes["decision_json"]
                changes["decision_json"] = as_json(counter[1])
        return await self._store(found, status, today, **changes, offers=offers)

    async def check(self, application: Application, product: Product) -> tuple[Check, ...]:
        """Return what every check of the product answered, in its order; silence is an answer."""
        return tuple(
            await asyncio.gather(*(self.check_one(name, application) for name in product.checks))
        )

    async def check_one(self, name: str, application: Application) -> Check:
        """Return what one check answered."""
        try:
            async with asyncio.timeout(self.check_seconds_max):
                return await self.checkers[name].check(application)
        except (TimeoutError, Unavailable):
            return msgspec.structs.replace(NO_ANSWER, name=name)

    async def _store(
        self, found: Application, status: Status, on: date, **changes: Any
    ) -> Application:
        stamp = self.desk.stamp(SERVICE)
        until = valid_until(self.desk, found, on, changes.get("offers", ()))
        changes |= {"valid_until_on": until, "queued_at": None, "decided_on": on}
        if status is Status.OFFERED:
            changes |= offered(changes["offers"], changes["offers"][0].offer_id)
        note = found.policy_version
        after = stepped(found, Step.DECIDE, status, stamp, note, **changes)
        decided = await self.desk.swap(found, after)
        self._waits_no_more(found.application_id)
        return decided

    def _waits_no_more(self, application_id: str) -> None:
        if not is_trial():
            self.waiting.discard(application_id)

    async def _queue(self, found: Application) -> None:
        """Remember that an application waits for its decision; it is never approved unseen."""
        if is_trial():
            return
        self.waiting.add(found.application_id)
        if found.queued_at is not None:
            return
        stamp = self.desk.stamp(SERVICE)
        after = noted(found, "queue", stamp, "no answer; decided later", queued_at=stamp.at)
        with suppress(ApplicationChangedMeanwhile):
            await self.desk.swap(found, after)

    async def _queue_no_more(self, found: Application, refusal: LendingError) -> None:
        """Ask nobody again by itself about what was refused; the trail says why, once."""
        self._waits_no_more(found.application_id)
        last = found.trail[-1] if found.trail else None
        said = last is not None and (last.step, last.note) == ("refuse", refusal.reason)
        if is_trial() or (said and found.queued_at is None):
            return
        stamp = self.desk.stamp(SERVICE)
        after = noted(found, "refuse", stamp, refusal.reason, queued_at=None)
        with suppress(ApplicationChangedMeanwhile):
            await self.desk.swap(found, after)

    async def resume(self) -> None:
        """Decide what waits; a process that has just started looks for it once."""
        if not self.looked:
            found = [a async for a in self.desk.each(Status.SUBMITTED) if a.queued_at is not None]
            self.waiting.update(application.application_id for application in found)
            self.looked = True
        for name in sorted(self.waiting):
            await unhindered(name, self.decide(name))

    async def review(self, request: pb.ReviewApplicationRequest, review: Review) -> pb.Application:
        """Take one person's word on a referred application."""

        async def prepare(found: Application) -> Prepared:
            today = await self.desk.today(found)
            await self.desk.expire(found, today)
            stamp = self.desk.stamp(review.reviewer_ref)
            after = reviewed(found, review, self.desk.policies, today, stamp)
            after = msgspec.structs.replace(after, decided_on=today)
            if after.status is Status.OFFERED:
                after = await self._offer(after, today)
            return Prepared(after)

        return await self.desk.step(request, "ReviewApplication", prepare)

    async def _offer(self, approved: Application, on: date) -> Application:
        """Make the offers of an application that people approved."""
        decision = decision_from(approved.decision_json)
        probability = Decimal(decision.probability_of_default)
        offers = await make_offers(self.desk, approved, probability, on)
        chosen = offered(offers, offers[0].offer_id)
        until = valid_until(self.desk, approved, on, offers)
        return msgspec.structs.replace(approved, **chosen, valid_until_on=until)


_STATUS = {
    "APPROVED": Status.OFFERED,
    "REFERRED": Status.REFERRED,
    "DECLINED": Status.DECLINED,
}
