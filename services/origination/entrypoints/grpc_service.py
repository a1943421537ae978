"""Origination's API: read the request, take the step, render the application."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lending.origination.v1 import origination_service_pb2 as pb
from lending.origination.v1.origination_service_pb2_grpc import OriginationServiceServicer

from services.origination import wire
from services.origination.application.disclosing import disclose
from services.origination.application.steps import Steps
from services.origination.domain import application as domain
from services.origination.domain.application import Application, Status
from shared.runtime.records import Work
from shared.runtime.requests import an_id

CONTRACT_VERSION = "contract/2026-01"


class OriginationService(OriginationServiceServicer):
    """Answers every rpc of lending.origination.v1.OriginationService."""

    def __init__(
        self,
        steps: Steps,
        reading_seconds_min: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.steps, self.reading_seconds_min, self.now = steps, reading_seconds_min, now

    async def SubmitApplication(self, request: Any, context: Any) -> pb.Application:
        """Take an application in."""
        application = wire.application(request, self.steps.products)

        async def act(work: Work) -> pb.Application:
            if await work.get(Application, application.application_id) is not None:
                raise domain.ApplicationAlreadySubmitted(
                    f"{application.application_id} exists", field="application_id"
                )
            await self.steps.keep(work, application)
            return wire.application_message(application)

        return await self.steps.records.answer_once(request, pb.Application, act)

    async def _step(
        self, request: Any, step: Callable[[Application], Application]
    ) -> pb.Application:
        """Take a step once per request id."""
        an_id(request.request_id, "request_id")
        application_id = an_id(request.application_id, "application_id")

        async def act(work: Work) -> pb.Application:
            found = await work.get(Application, application_id)
            if found is None:
                raise domain.ApplicationNotFound(f"no application {application_id}")
            after = step(found)
            await self.steps.keep(work, after)
            return wire.application_message(after)

        return await self.steps.records.answer_once(request, pb.Application, act)

    async def DecideApplication(self, request: Any, context: Any) -> pb.Application:
        """Have an application decided."""
        application_id = an_id(request.application_id, "application_id")
        return wire.application_message(await self.steps.decide(application_id))

    async def ShowDisclosure(self, request: Any, context: Any) -> pb.Disclosure:
        """Show what the loan costs."""
        application_id = an_id(request.application_id, "application_id")
        found = await self.steps.load(application_id)
        domain.require(found, "show")
        preview = await self.steps.preview(found, wire.terms_of(found))
        shown = disclose(application_id, preview)
        digest, at = shown["disclosure_sha256"], self.now()
        await self.steps.change(application_id, lambda now: domain.disclosed(now, digest, at))
        return pb.Disclosure(**shown, reading_seconds_min=self.reading_seconds_min)

    async def ConfirmDisclosure(self, request: Any, context: Any) -> pb.Application:
        """Record that the cost was read."""
        digest, at, seconds = request.disclosure_sha256, self.now(), self.reading_seconds_min
        return await self._step(request, lambda now: domain.confirmed(now, digest, at, seconds))

    async def AcceptContract(self, request: Any, context: Any) -> pb.Application:
        """Record that the contract was accepted."""

        def accept(now: Application) -> Application:
            text = f"{CONTRACT_VERSION}\0{now.terms_json}\0{now.disclosure_sha256}"
            return domain.contracted(now, hashlib.sha256(text.encode()).hexdigest())

        return await self._step(request, accept)

    async def DisburseApplication(self, request: Any, context: Any) -> pb.Application:
        """Pay the loan out, exactly once."""
        application_id = an_id(request.application_id, "application_id")
        return wire.application_message(await self.steps.disburse(application_id))

    async def WithdrawApplication(self, request: Any, context: Any) -> pb.Application:
        """Withdraw an application."""
        return await self._step(
            request, lambda now: domain.moved(now, "withdraw", Status.WITHDRAWN)
        )

    async def AddGuarantee(self, request: Any, context: Any) -> pb.Application:
        """Add what secures the loan."""
        guarantee = wire.guarantee(request)
        return await self._step(request, lambda now: domain.secured(now, guarantee))

    async def GetApplication(self, request: Any, context: Any) -> pb.Application:
        """Return an application."""
        application_id = an_id(request.application_id, "application_id")
        return wire.application_message(await self.steps.load(application_id))

    async def ListApplications(self, request: Any, context: Any) -> pb.ListApplicationsResponse:
        """List applications by id."""
        size = min(request.page.size or 100, 1000)
        status = pb.ApplicationStatus.Name(request.status).removeprefix("APPLICATION_STATUS_")
        state = "" if status == "UNSPECIFIED" else status
        async with self.steps.records.work() as work:
            found = await work.find(Application, state=state, after=request.page.token, limit=size)
        token = found[-1].application_id if len(found) == size else ""
        return pb.ListApplicationsResponse(
            applications=[wire.application_message(row) for row in found], next_page_token=token
        )
