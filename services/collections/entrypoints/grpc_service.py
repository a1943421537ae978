"""Collections' API: read the request, change the case, render it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from lending.collections.v1 import collections_service_pb2 as pb
from lending.collections.v1.collections_service_pb2_grpc import CollectionsServiceServicer

from services.collections import wire
from services.collections.application.desk import Desk
from services.collections.domain import case as domain
from services.collections.domain.case import Case, Contact
from services.collections.domain.contact_gate import a_time_zone, check_contact
from shared.kernel.dates import parse_date
from shared.kernel.errors import InvalidArgument
from shared.runtime.records import Work
from shared.runtime.requests import a_text, an_id, an_instant


class LanguageUnknown(InvalidArgument):
    """Messages are written in zh or en."""


class CollectionsService(CollectionsServiceServicer):
    """Answers every rpc of lending.collections.v1.CollectionsService."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def _load(self, loan_id: str) -> Case:
        async with self.desk.records.work() as work:
            case = await work.get(Case, an_id(loan_id, "loan_id"))
        if case is None:
            raise domain.CaseNotFound(f"loan {loan_id} has no case", field="loan_id")
        return case

    async def _change(self, request: Any, step: Callable[[Case], Case]) -> pb.Case:
        """Change a case once per request id."""
        an_id(request.request_id, "request_id")
        loan_id = an_id(request.loan_id, "loan_id")

        async def act(work: Work) -> pb.Case:
            return wire.case_message(await self.desk.change(work, loan_id, step))

        return await self.desk.records.answer_once(request, pb.Case, act)

    async def GetCase(self, request: Any, context: Any) -> pb.Case:
        """Return the case of a loan."""
        return wire.case_message(await self._load(request.loan_id))

    async def ListCases(self, request: Any, context: Any) -> pb.ListCasesResponse:
        """List cases by loan id."""
        size = min(request.page.size or 100, 1000)
        state = {pb.CASE_STATUS_OPEN: "OPEN", pb.CASE_STATUS_CLOSED: "CLOSED"}
        async with self.desk.records.work() as work:
            found = await work.find(
                Case, state=state.get(request.status, ""), after=request.page.token, limit=size
            )
        token = found[-1].loan_id if len(found) == size else ""
        return pb.ListCasesResponse(
            cases=[wire.case_message(case) for case in found], next_page_token=token
        )

    async def SetPreferences(self, request: Any, context: Any) -> pb.Case:
        """Set how a borrower may be reached."""
        if request.language not in ("zh", "en"):
            raise LanguageUnknown("language", field="language", expected="zh or en")
        if request.time_zone:
            a_time_zone(request.time_zone)
        return await self._change(
            request,
            lambda case: msgspec.structs.replace(
                case,
                language=request.language,
                time_zone=request.time_zone,
                contact_ceased=request.contact_ceased,
            ),
        )

    async def RecordContact(self, request: Any, context: Any) -> pb.Case:
        """Record an attempt to reach the borrower, if one is allowed then."""
        contact = Contact(
            at=an_instant(request.at, "at"),
            channel=a_text(request.channel, "channel"),
            outcome=a_text(request.outcome, "outcome"),
        )
        policy = self.desk.policy

        def step(case: Case) -> Case:
            earlier = [one.at for one in case.contacts]
            zone = case.time_zone or policy.time_zone
            check_contact(policy, contact.at, earlier, zone, ceased=case.contact_ceased)
            return msgspec.structs.replace(case, contacts=(*case.contacts, contact))

        return await self._change(request, step)

    async def RecordPromise(self, request: Any, context: Any) -> pb.Case:
        """Record a promise to pay."""
        promise = wire.promise(request)
        return await self._change(
            request,
            lambda case: msgspec.structs.replace(case, promises=(*case.promises, promise)),
        )

    async def ProposeHardshipPlan(self, request: Any, context: Any) -> pb.Case:
        """Propose a hardship plan."""

        def step(case: Case) -> Case:
            if case.plan is not None and case.plan.status in ("PROPOSED", "APPROVING"):
                raise domain.PlanAlreadyOpen("a plan waits for approval", field="loan_id")
            number = case.plan.number + 1 if case.plan else 1
            return msgspec.structs.replace(case, plan=wire.plan(request, number))

        return await self._change(request, step)

    async def ApproveHardshipPlan(self, request: Any, context: Any) -> pb.Case:
        """Approve a hardship plan and restructure the loan."""
        approved_by = a_text(request.approved_by, "approved_by")
        effective_on = parse_date(request.effective_on, field="effective_on")

        def step(case: Case) -> Case:
            plan = case.plan
            if plan is None or plan.status != "PROPOSED":
                raise domain.PlanNotFound("no plan waits for approval", field="loan_id")
            if plan.proposed_by == approved_by:
                raise domain.ApproverIsProposer("another person approves", field="approved_by")
            approving = msgspec.structs.replace(
                plan, status="APPROVING", approved_by=approved_by, effective_on=effective_on
            )
            return msgspec.structs.replace(case, plan=approving)

        await self._change(request, step)
        case = await self._load(request.loan_id)
        if case.plan is not None and case.plan.status == "APPROVING":
            case = await self.desk.finish_plan(case)
        return wire.case_message(case)
