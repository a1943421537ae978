"""A loan goes to an agency with what is needed and nothing else, and comes back by itself."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from lending.collections.v1 import contact_service_pb2 as pb
from sqlalchemy import select

from services.collections.compose import House
from services.collections.domain.agency import AgencyNotApproved, LoanAlreadyPlaced, LoanNotPlaced
from services.collections.domain.case import Case
from services.collections.domain.contact_rules import Channel, Outcome, Purpose
from services.collections.domain.debtor import Attempt
from services.collections.domain.legal import LegalPersonProtected
from services.collections.domain.matter import Matter, Step, Taken
from services.collections.domain.task import Task
from shared.runtime.record_tables import OUTBOX
from tests.services.collections.house import a_house, event, hear
from tests.services.collections.test_relief import declare, end
from tests.services.collections.test_sending import protect, shield

GIVEN = {
    *("loan_id", "jurisdiction", "language", "time_zone", "phone", "email", "quiet_channels"),
    *("currency", "arrears_minor", "days_past_due", "attempts"),
}
REGION = "CN-51"


async def ready(house: House) -> None:
    """A late loan whose debtor opted out of mail and was called, with an approved step."""
    request = pb.RegisterDebtorRequest(
        borrower_ref="B-1", email="li@example.com", phone="+8613800000000", region=REGION
    )
    async with house.desk.records.work() as work:
        await house.debtors.register(work, request)
    await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 75))
    await protect(house, shield("OPT_OUT", channel=Channel.EMAIL, note="said by telephone"))
    async with house.desk.records.work() as work:
        called = Attempt(
            attempt_id="c-1",
            borrower_ref="B-1",
            loan_id="L-1",
            at=datetime(2026, 2, 9, 3, tzinfo=UTC),
            channel=Channel.CALL,
            outcome=Outcome.REACHED,
            purpose=Purpose.COLLECT,
            by="officer-7",
        )
        await house.desk.contacting.permit(work, called)


async def approve(house: House) -> None:
    step = Taken(step=Step.AGENCY, on=date(2026, 2, 10), proposed_by="o-1", approved_by="o-2")
    async with house.desk.records.work() as work:
        matter = Matter(loan_id="L-1", due_on=date(2026, 2, 5), steps=(step,))
        await work.put(matter, "L-1/1")


async def place(house: House, on: str = "2026-02-10") -> tuple[Any, str]:
    async with house.desk.records.work() as work:
        return await house.placing.place(work, "L-1", "A-1", date.fromisoformat(on), "lead")


async def test_an_agency_gets_what_it_needs_and_nothing_else(tmp_path: Path) -> None:
    """Neither region, note, other loans nor who said what; what was given is known by its hash."""
    async with a_house(tmp_path) as house:
        await ready(house)
        with pytest.raises(AgencyNotApproved):
            await place(house)
        await approve(house)
        with pytest.raises(AgencyNotApproved):
            await place(house, "2026-02-09")
        placement, text = await place(house)
        with pytest.raises(LoanAlreadyPlaced):
            await place(house)

    given = json.loads(text)
    assert set(given) == GIVEN
    assert (given["email"], given["phone"]) == ("", "+8613800000000")
    assert given["quiet_channels"] == ["email"]
    assert ["2026-02-09", "call"] in given["attempts"]
    for secret in (REGION, "telephone", "officer-7", "REACHED", "B-1"):
        assert secret not in text
    assert placement.is_out and len(placement.package_sha256) == 64


@pytest.mark.parametrize("reason", ["cured", "vulnerable", "by hand"])
async def test_it_comes_back_when_its_reason_is_over(tmp_path: Path, reason: str) -> None:
    """Cured or shielded, the loan is recalled by itself, and somebody sees to the deletion."""
    async with a_house(tmp_path) as house:
        await ready(house)
        await approve(house)
        await place(house)

        if reason == "cured":
            await hear(house, event(2, "CURED", "2026-02-12", 0))
        elif reason == "vulnerable":
            await protect(house, shield("VULNERABLE", protection_id="p-2"))
        else:
            async with house.desk.records.work() as work:
                on = date(2026, 2, 12)
                await house.placing.recall(work, "L-1", on, "lead", "contract ended")

        async with house.desk.records.work() as work:
            placement = await house.placing.placement(work, "L-1")
            tasks = await work.find(Task, state="OPEN")
            assert await work.get(Case, "L-1") is not None
        assert not placement.is_out and placement.delete_by is not None
        assert "AGENCY_DELETION" in {one.kind for one in tasks}
        with pytest.raises(LoanNotPlaced):
            async with house.desk.records.work() as work:
                await house.placing.recall(work, "L-1", date(2026, 2, 13), "lead", "again")


async def test_a_flood_takes_the_loan_back(tmp_path: Path) -> None:
    """A disaster shields in bulk: the agency must not call on into it, and the recall is told."""
    async with a_house(tmp_path) as house:
        await ready(house)
        await approve(house)
        await place(house)
        await declare(house)
        async with house.desk.records.work() as work:
            placement = await house.placing.placement(work, "L-1")
            told = (await work.connection.execute(select(OUTBOX.c.message_id))).scalars().all()

        assert (placement.is_out, placement.why) == (False, "shielded")
        assert [one for one in told if "agency_recalled" in one]


async def test_who_is_shielded_before_is_not_placed(tmp_path: Path) -> None:
    """Approved before the dispute, placed after it: refused; a flood refuses as well."""
    async with a_house(tmp_path) as house:
        await ready(house)
        await approve(house)
        await declare(house)
        with pytest.raises(LegalPersonProtected):
            await place(house)
        await end(house, date(2026, 2, 4))
        await protect(house, shield("DISPUTE", protection_id="p-9"))
        with pytest.raises(LegalPersonProtected):
            await place(house)
