"""Whether a proposed instalment can be paid: read, assess, render."""

from __future__ import annotations

from typing import Any

from lending.risk.v1 import affordability_service_pb2 as pb
from lending.risk.v1.affordability_service_pb2_grpc import AffordabilityServiceServicer

from services.risk import wire_plans
from services.risk.application.plans import Assessed, Plans
from shared.runtime.records import Records, Work
from shared.runtime.requests import an_id


class AffordabilityService(AffordabilityServiceServicer):
    """Answers every rpc of lending.risk.v1.AffordabilityService."""

    def __init__(self, records: Records, plans: Plans) -> None:
        self.records, self.plans = records, plans

    async def AssessAffordability(self, request: Any, context: Any) -> pb.AffordabilityAssessment:
        """Assess a proposed instalment; the same request again gets the first answer."""
        given = wire_plans.means(request)
        if request.validate_only:
            return wire_plans.assessment_message(self.plans.assess(given, ""))
        async with self.records.work() as work:
            first = await work.answered(request, pb.AffordabilityAssessment)
        if first is not None:
            return first
        name = request.request_id

        async def act(work: Work) -> pb.AffordabilityAssessment:
            made = self.plans.assess(informed, name)
            await self.plans.keep(work, made)
            return wire_plans.assessment_message(made)

        try:
            informed = await self.plans.informed(given, name)
            return await self.records.answer_once(request, pb.AffordabilityAssessment, act)
        finally:
            self.plans.incomes.kept(name)

    async def GetAffordabilityAssessment(
        self, request: Any, context: Any
    ) -> pb.AffordabilityAssessment:
        """Return an assessment as it was made."""
        return wire_plans.assessment_message(await self._stored(request))

    async def ReplayAffordabilityAssessment(
        self, request: Any, context: Any
    ) -> pb.ReplayAffordabilityAssessmentResponse:
        """Make an assessment again and compare."""
        stored = await self._stored(request)
        again = self.plans.again(stored)
        return pb.ReplayAffordabilityAssessmentResponse(
            stored=wire_plans.assessment_message(stored),
            again=wire_plans.assessment_message(again),
            identical=again == stored,
        )

    async def _stored(self, request: Any) -> Assessed:
        name = an_id(request.assessment_id, "assessment_id")
        async with self.records.work() as work:
            return await self.plans.get(work, name)
