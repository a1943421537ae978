"""What was left open in one time of being late does not bind the next."""

from __future__ import annotations

from pathlib import Path

from lending.collections.v1 import collections_service_pb2 as pb

from services.collections.application import trail
from services.collections.application.desk import messages_of
from services.collections.entrypoints.grpc_service import CollectionsService
from tests.services.collections.house import a_house, event, hear
from tests.services.collections.test_answers import PLAN


async def test_a_plan_nobody_approved_ends_with_its_case(tmp_path: Path) -> None:
    """Cured while it waited: late again next year, the borrower is reminded and may ask anew."""
    async with a_house(tmp_path) as house:
        service = CollectionsService(house.desk, house.planning, house.debtors)
        await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 35))
        proposed = pb.ProposeHardshipPlanRequest(request_id="plan-1", **PLAN)
        await service.ProposeHardshipPlan(proposed, None)
        async with house.desk.records.work() as work:
            before = len(await messages_of(work, "L-1"))

        await hear(house, event(2, "CURED", "2026-02-20", 0))
        closed = await service.GetCase(pb.GetCaseRequest(loan_id="L-1"), None)
        await hear(house, event(3, "BUCKET_CHANGED", "2027-05-06", 35))
        async with house.desk.records.work() as work:
            reminded = len(await messages_of(work, "L-1")) - before
            said = [(e.what, e.by, e.said) for e in await trail.read(work, "B-1")]
        proposed.request_id = "plan-2"
        again = await service.ProposeHardshipPlan(proposed, None)

    assert closed.plan.status == pb.PLAN_STATUS_WITHDRAWN
    assert reminded > 0
    assert again.plan.status == pb.PLAN_STATUS_PROPOSED
    assert ("PLAN_WITHDRAWN", "collections", "the case closed") in said
