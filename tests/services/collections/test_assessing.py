"""Whether a plan can be paid: risk says; when it cannot, a person does, and nobody silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lending.collections.v1 import collections_service_pb2 as pb

from services.collections.domain.hardship import PlanNotAffordable, PlanNotAssessed
from services.collections.domain.task import Task
from services.collections.entrypoints.grpc_service import CollectionsService
from shared.kernel.errors import LendingError, Refused, Unavailable
from tests.services.collections.house import LedgerByHand, RiskByHand, a_house, event, hear

LATE = event(1, "BUCKET_CHANGED", "2026-02-06", 35)
ASKED = pb.ProposeHardshipPlanRequest(
    request_id="plan-1",
    loan_id="L-1",
    instalments=6,
    first_due_on="2026-03-01",
    rate_annual="0.1",
    reason="ill",
    proposed_by="ann",
    budget=pb.Budget(income_minor=600_000, expenses_minor=500_000),
)
APPROVAL: dict[str, str] = {"loan_id": "L-1", "approved_by": "bob", "effective_on": "2026-02-10"}
SAID = [
    # risk says, fails with | affordable | approval is refused by | task
    ("AFFORDABLE", None, "yes", None, []),
    ("NOT_AFFORDABLE", None, "no", PlanNotAffordable, []),
    ("REFERRED", None, "", PlanNotAssessed, ["ASSESS_PLAN"]),
    ("AFFORDABLE", Unavailable("away"), "", PlanNotAssessed, ["ASSESS_PLAN"]),
    ("AFFORDABLE", Refused("no policy"), "", PlanNotAssessed, ["ASSESS_PLAN"]),
]


@pytest.mark.parametrize(("outcome", "failure", "affordable", "refused", "tasks"), SAID)
async def test_what_risk_says_of_a_plan(
    tmp_path: Path,
    outcome: str,
    failure: LendingError | None,
    affordable: str,
    refused: type[LendingError] | None,
    tasks: list[str],
) -> None:
    """Affordable goes on, not affordable ends, anything else waits for a person's own look."""
    ledger, risk = LedgerByHand(), RiskByHand(outcome, failure)
    async with a_house(tmp_path, ledger, risk) as house:
        cases = CollectionsService(house.desk, house.planning, house.debtors)
        await hear(house, LATE)
        proposed = await cases.ProposeHardshipPlan(ASKED, None)

        async with house.desk.records.work() as work:
            open_tasks = [one.kind async for one in work.every(Task, state="OPEN")]
        assert proposed.plan.affordable == affordable
        assert [kind for kind in open_tasks if kind == "ASSESS_PLAN"] == tasks
        assert [one.monthly_income.amount_minor for one in risk.asked] == [600_000]

        approval: Any = pb.ApproveHardshipPlanRequest(request_id="ok-1", **APPROVAL)
        if refused is not None:
            with pytest.raises(refused):
                await cases.ApproveHardshipPlan(approval, None)
            assert ledger.given == []
        looked: Any = pb.ApproveHardshipPlanRequest(
            request_id="ok-2", affordability_note="pay slips seen", **APPROVAL
        )
        if refused is PlanNotAffordable:
            with pytest.raises(PlanNotAffordable):
                await cases.ApproveHardshipPlan(looked, None)
            return
        done = await cases.ApproveHardshipPlan(looked if refused else approval, None)
        assert done.plan.status == pb.PLAN_STATUS_APPROVED
        assert len(ledger.given) == 1


async def test_a_proposal_asked_again_gets_its_first_answer(tmp_path: Path) -> None:
    """Also when the ledger refuses meanwhile: neither it nor risk is asked a second time."""
    ledger, risk = LedgerByHand(), RiskByHand()
    async with a_house(tmp_path, ledger, risk) as house:
        cases = CollectionsService(house.desk, house.planning, house.debtors)
        await hear(house, LATE)
        first = await cases.ProposeHardshipPlan(ASKED, None)
        ledger.refusals["RestructureLoan"] = Refused("gone")

        assert await cases.ProposeHardshipPlan(ASKED, None) == first
        assert len(risk.asked) == 1
