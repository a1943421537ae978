"""What a caller may leave out, and what is refused rather than read as something else."""

from __future__ import annotations

from pathlib import Path

import pytest
from lending.collections.v1 import collections_service_pb2 as cases_pb
from lending.collections.v1 import contact_service_pb2 as pb
from lending.collections.v1 import recovery_service_pb2 as claims_pb
from lending.common.v1 import money_pb2, page_pb2

from services.collections import wire_contact
from services.collections.domain.debtor import ASKED, ProtectionIdReserved, RegionNotValid
from services.collections.entrypoints.grpc_service import CollectionsService
from shared.kernel.errors import InvalidArgument
from tests.services.collections.house import a_house, event, filed_claim, hear


async def test_a_claim_is_refused_with_a_reason_alone(tmp_path: Path) -> None:
    """Who does not pay states no amount, in no currency."""
    cover = money_pb2.Money(currency="CNY", amount_minor=900)
    async with a_house(tmp_path) as house:
        await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 35))
        service = await filed_claim(house, cover)
        answer = claims_pb.AnswerClaimRequest(
            request_id="answer-1", claim_id="claim-1", on="2026-02-11", reason="no cover"
        )

        ended = await service.AnswerClaim(answer, None)

    assert (ended.status, ended.refusal) == (claims_pb.CLAIM_STATUS_REFUSED, "no cover")


async def test_a_page_has_no_size_below_nought(tmp_path: Path) -> None:
    """It would be everything on one store and an error on the other."""
    asked = cases_pb.ListCasesRequest(page=page_pb2.Page(size=-1))
    async with a_house(tmp_path) as house:
        cases = CollectionsService(house.desk, house.planning, house.debtors)
        with pytest.raises(InvalidArgument):
            await cases.ListCases(asked, None)


REGIONS = ["CN-51-01-WITH-MORE-THAN-20", "cn-51", "四川"]


@pytest.mark.parametrize("region", REGIONS)
async def test_a_region_is_not_cut_into_another(tmp_path: Path, region: str) -> None:
    """Neither where somebody lives nor where a disaster struck."""
    async with a_house(tmp_path) as house, house.desk.records.work() as work:
        with pytest.raises(RegionNotValid):
            known = pb.RegisterDebtorRequest(borrower_ref="B-1", region=region)
            await house.debtors.register(work, known)
    with pytest.raises(RegionNotValid):
        wire_contact.disaster(
            pb.DeclareDisasterRequest(
                request_id="flood-1", region=region, from_on="2026-02-05", until_on="2026-03-05"
            )
        )


def test_no_shield_takes_the_place_of_the_wish_to_be_left_alone() -> None:
    """Another shield or a disaster under its id would lift it: refused by name."""
    asked = pb.AddProtectionRequest(
        request_id=ASKED, borrower_ref="B-1", kind="PROTECTION_KIND_DISPUTE", from_on="2026-02-06"
    )
    flood = pb.DeclareDisasterRequest(
        request_id=ASKED,
        region="CN-51",
        from_on="2026-02-06",
        until_on="2026-03-06",
        note="flood",
        declared_by="lead",
    )
    for read in (lambda: wire_contact.protection(asked), lambda: wire_contact.disaster(flood)):
        with pytest.raises(ProtectionIdReserved):
            read()


async def test_a_guarantors_number_is_counted_as_such(tmp_path: Path) -> None:
    """Six unanswered calls at one number of a guarantor close that number, and no other."""
    async with a_house(tmp_path) as house:
        await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 35))
        served = CollectionsService(house.desk, house.planning, house.debtors)

        def call(number: int, address: str) -> cases_pb.RecordContactRequest:
            return cases_pb.RecordContactRequest(
                request_id=f"call-{number}",
                loan_id="L-1",
                at=f"2026-02-06T{9 + number:02}:00:00+08:00",
                channel="call",
                outcome="no answer",
                party="guarantor",
                address=address,
                happened=True,
                made_by="ann",
            )

        told = None
        for number in range(8):
            told = await served.RecordContact(call(number, "+861" if number < 7 else "+862"), None)
        assert told is not None
        assert [one.breach for one in told.contacts] == [
            *[""] * 6,
            "cn-unanswered-6-a-day",
            "",
        ]
