"""Where the house knows no legal policy, no rung of the ladder can be taken, and it says so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from lending.collections.v1 import contact_service_pb2 as contact_pb
from lending.collections.v1 import recovery_service_pb2 as pb

from services.collections.compose import House
from services.collections.domain.agency import Placement
from services.collections.domain.matter import LegalPolicyNotFound, Matter
from services.collections.entrypoints.recovery_service import RecoveryService
from tests.services.collections.house import LedgerByHand, a_house, event, hear

WHERE = [("US", "USD"), ("UK", "GBP"), ("EU", "EUR"), ("IN", "INR"), ("", "JPY")]
Ask = Callable[[RecoveryService], Awaitable[Any]]
STEPS = [name for name in pb.LegalStep.DESCRIPTOR.values_by_name if "UNSPECIFIED" not in name]
ON = {"loan_id": "L-1", "on": "2026-02-10"}


def asks() -> list[tuple[str, Ask]]:
    """Return every rpc by which the law would be called."""

    def propose(step: str) -> Ask:
        request = pb.ProposeLegalStepRequest(
            request_id=f"r-{step}", step=step, proposed_by="o-1", **ON
        )
        return lambda served: served.ProposeLegalStep(request, None)

    person = pb.RecordPersonCheckRequest(
        request_id="r-check", checked_by="carer", note="able", may_go_on=True, **ON
    )
    approve = pb.ApproveLegalStepRequest(request_id="r-yes", loan_id="L-1", approved_by="o-2")
    place = pb.PlaceWithAgencyRequest(
        request_id="r-place", agency_ref="A-1", placed_by="lead", **ON
    )
    return [
        *((step, propose(step)) for step in STEPS),
        ("check", lambda served: served.RecordPersonCheck(person, None)),
        ("approve", lambda served: served.ApproveLegalStep(approve, None)),
        ("place", lambda served: served.PlaceWithAgency(place, None)),
        ("read", lambda s: s.GetLegalMatter(pb.GetLegalMatterRequest(loan_id="L-1"), None)),
    ]


async def nothing_stored(house: House) -> bool:
    async with house.desk.records.work() as work:
        found: list[Any] = [one async for one in work.every(Matter)]
        found += [one async for one in work.every(Placement)]
    return not found


@pytest.mark.parametrize(("where", "currency"), WHERE)
async def test_no_step_without_a_policy(tmp_path: Path, where: str, currency: str) -> None:
    """Every step, check, approval, placement and question: LEGAL_POLICY_NOT_FOUND, nothing kept."""
    async with a_house(tmp_path, LedgerByHand()) as house:
        async with house.desk.records.work() as work:
            known = contact_pb.RegisterDebtorRequest(borrower_ref="B-1", jurisdiction=where)
            await house.debtors.register(work, known)
        await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 75, currency=currency))
        served = RecoveryService(house.claiming, house.escalating, house.placing)
        for name, ask in asks():
            with pytest.raises(LegalPolicyNotFound) as refused:
                await ask(served)
            assert refused.value.reason == "LEGAL_POLICY_NOT_FOUND", name
            assert refused.value.expected == "a debtor of CN", name
        assert await nothing_stored(house)
