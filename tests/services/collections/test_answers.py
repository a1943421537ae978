"""The same request gets the same answer, whatever became of the case or claim since."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from lending.collections.v1 import collections_service_pb2 as pb
from lending.collections.v1 import recovery_service_pb2 as claims_pb
from lending.common.v1.money_pb2 import Money

from services.collections.entrypoints.grpc_service import CollectionsService
from shared.kernel.errors import LendingError, Refused, Unavailable
from tests.services.collections.house import House, LedgerByHand, a_house, event, filed_claim, hear

PLAN: dict[str, Any] = {
    "loan_id": "L-1",
    "instalments": 12,
    "first_due_on": "2026-03-10",
    "rate_annual": "0.1",
    "reason": "was ill",
    "proposed_by": "officer-1",
}
APPROVAL = pb.ApproveHardshipPlanRequest(
    request_id="ok-1", loan_id="L-1", approved_by="officer-2", effective_on="2026-02-10"
)
COVER = Money(currency="CNY", amount_minor=900)


@asynccontextmanager
async def late(folder: Path, ledger: LedgerByHand) -> AsyncIterator[House]:
    async with a_house(folder, ledger) as house:
        await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 35))
        yield house


def cases(house: House) -> CollectionsService:
    return CollectionsService(house.desk, house.planning, house.debtors)


async def test_an_approval_is_answered_as_it_was(tmp_path: Path) -> None:
    """Approved; then the loan rolls on and another plan waits; asked again: approved, as then."""
    async with late(tmp_path, LedgerByHand()) as house:
        plan = pb.ProposeHardshipPlanRequest(request_id="plan-1", **PLAN)
        await cases(house).ProposeHardshipPlan(plan, None)

        first = await cases(house).ApproveHardshipPlan(APPROVAL, None)
        await hear(house, event(2, "BUCKET_CHANGED", "2026-03-11", 65))
        other = pb.ProposeHardshipPlanRequest(request_id="plan-2", **PLAN)
        await cases(house).ProposeHardshipPlan(other, None)
        again = await cases(house).ApproveHardshipPlan(APPROVAL, None)

    assert first.plan.status == pb.PLAN_STATUS_APPROVED
    assert again == first


async def test_who_heard_nothing_while_the_ledger_was_away_hears_the_end(tmp_path: Path) -> None:
    """The first call fails after it was kept; the second carries it out, the third repeats it."""
    ledger = LedgerByHand()
    async with late(tmp_path, ledger) as house:
        plan = pb.ProposeHardshipPlanRequest(request_id="plan-1", **PLAN)
        await cases(house).ProposeHardshipPlan(plan, None)
        ledger.refusals["RestructureLoan"] = Unavailable("the ledger is away")
        with pytest.raises(LendingError):
            await cases(house).ApproveHardshipPlan(APPROVAL, None)
        ledger.refusals.clear()

        done = await cases(house).ApproveHardshipPlan(APPROVAL, None)
        again = await cases(house).ApproveHardshipPlan(APPROVAL, None)

    assert done.plan.status == pb.PLAN_STATUS_APPROVED
    assert again == done
    assert [type(one).__name__ for one in ledger.given] == ["RestructureLoanRequest"]


async def test_an_answer_to_a_claim_is_answered_as_it_was(tmp_path: Path) -> None:
    """The ledger refuses the guarantor's money, and takes it next day: two answers, each kept."""
    ledger = LedgerByHand()
    async with late(tmp_path, ledger) as house:
        service = await filed_claim(house, COVER)
        early = claims_pb.AnswerClaimRequest(
            request_id="answer-1", claim_id="claim-1", on="2026-02-11", amount=COVER
        )
        later = claims_pb.AnswerClaimRequest(
            request_id="answer-2", claim_id="claim-1", on="2026-02-12", amount=COVER
        )
        ledger.refusals["PostGuaranteePayment"] = Refused("the value date is closed")
        refused = await service.AnswerClaim(early, None)
        ledger.refusals.clear()
        paid = await service.AnswerClaim(later, None)

        again = [await service.AnswerClaim(one, None) for one in (early, later)]

    assert (refused.status, refused.refusal) == (claims_pb.CLAIM_STATUS_FILED, "REFUSED")
    assert paid.status == claims_pb.CLAIM_STATUS_PAID
    assert again == [refused, paid]
