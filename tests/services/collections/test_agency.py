"""A loan goes to an agency with what is needed and nothing else, and comes back by itself."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lending.collections.v1 import contact_service_pb2 as pb
from sqlalchemy import select

from services.collections.compose import House
from services.collections.domain.agency import AgencyNotApproved, LoanAlreadyPlaced, LoanNotPlaced
from services.collections.domain.case import Case, with_promise
from services.collections.domain.contact_rules import Channel, Outcome, Purpose
from services.collections.domain.debtor import Attempt
from services.collections.domain.hardship import Measure
from services.collections.domain.legal import LegalPersonProtected
from services.collections.domain.matter import Matter, Step, Taken
from services.collections.domain.task import Task
from shared.runtime.record_tables import OUTBOX
from tests.services.collections.house import a_house, event, hear
from tests.services.collections.people import promised, proposed
from tests.services.collections.test_ladder import write
from tests.services.collections.test_recovery import done
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


async def test_a_loan_is_recalled_by_hand_once(tmp_path: Path) -> None:
    """The contract with the agency ended: it comes back once, and is deleted there."""
    async with a_house(tmp_path) as house:
        await ready(house)
        await approve(house)
        await place(house)
        async with house.desk.records.work() as work:
            back = await house.placing.recall(work, "L-1", date(2026, 2, 12), "lead", "ended")
            tasks = await work.find(Task, state="OPEN")

        assert (back.is_out, back.delete_by) == (False, date(2026, 3, 14))
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


async def planned(house: House, measure: str) -> None:
    """A hardship plan or a settlement is proposed by one and approved by another."""
    plan = proposed(measure=Measure(measure), settlement_minor=90_000)
    async with house.desk.records.work() as work:
        await house.planning.propose(work, "L-1", plan)
        await house.planning.approve(work, "L-1", "o-2", date(2026, 2, 12))


async def sued(house: House, step: str) -> None:
    """Written to again, mediated, and then filed by one and approved by another."""
    day = date(2026, 2, 12)
    await write(house, 1, datetime(2026, 2, 11, 3, tzinfo=UTC))
    async with house.desk.records.work() as work:
        case = await work.get(Case, "L-1")
        assert case is not None
        known = await house.escalating.matter(work, case)
        rungs = (done("DEMAND", "2025-12-01"), done("MEDIATION", "2026-01-02"))
        looked = {"steps": (*known.steps, *rungs), "checked_on": day, "may_go_on": True}
        await work.put(msgspec.structs.replace(known, **looked), known.matter_id)
        if step == "FILING":
            wanted = Taken(step=Step.FILING, on=day, proposed_by="o-1")
            await house.escalating.propose(work, "L-1", wanted)
            await house.escalating.approve(work, "L-1", "o-2")


ENDS = [
    # what happens | where the loan is then, and why
    ("cured", "the case closed"),
    ("settled", "the case closed"),
    ("restructured", "the case closed"),
    ("restated", "the case closed"),
    ("a plan is approved", "a plan was approved"),
    ("a settlement is agreed", "a plan was approved"),
    ("declared due", "everything was declared due"),
    ("sued", "it goes to court"),
    ("vulnerable", "shielded"),
    ("disputes", "shielded"),
    ("complains", "shielded"),
    ("asks not to be contacted", "shielded"),
    ("opts out of SMS", None),
    ("pays in part", None),
    ("promises", None),
    ("charged off", None),
    ("mediation is behind it", None),
]
HEARS = {
    "cured": [event(2, "CURED", "2026-02-12", 0)],
    "settled": [event(2, "CURED", "2026-02-12", 0), event(3, "SETTLED", "2026-02-12", 0)],
    "restructured": [event(2, "RESTRUCTURED", "2026-02-12", 0)],
    "restated": [
        event(2, "TIMELINE_RESTATED", "2026-02-12", 77),
        event(3, "CURED", "2026-02-12", 0),
    ],
    "declared due": [event(2, "ACCELERATED", "2026-02-12", 81)],
    "pays in part": [event(2, "PARTIALLY_CURED", "2026-02-12", 51, amount=50_000)],
    "charged off": [event(2, "CHARGED_OFF", "2026-02-12", 81)],
}
SHIELDS = {
    "vulnerable": shield("VULNERABLE", protection_id="p-2"),
    "disputes": shield("DISPUTE", protection_id="p-2"),
    "complains": shield("COMPLAINT", protection_id="p-2"),
    "asks not to be contacted": shield("CEASED", protection_id="p-2"),
    "opts out of SMS": shield("OPT_OUT", protection_id="p-2", channel=Channel.SMS),
}


async def befall(house: House, what: str) -> None:
    """Let one of the things happen."""
    await hear(house, *HEARS.get(what, []))
    if what in SHIELDS:
        await protect(house, SHIELDS[what])
    if what in ("a plan is approved", "a settlement is agreed"):
        await planned(house, "EXTENSION" if what == "a plan is approved" else "SETTLEMENT")
    if what in ("sued", "mediation is behind it"):
        await sued(house, "FILING" if what == "sued" else "MEDIATION")
    if what == "promises":
        promise = promised(10_000, "2026-02-12", "2026-02-20", "A-1")
        async with house.desk.records.work() as work:
            await house.desk.change(work, "L-1", lambda one: with_promise(one, promise, "CNY"))


@pytest.mark.parametrize(("what", "why"), ENDS)
async def test_every_way_in_which_an_agency_is_done(
    tmp_path: Path, what: str, why: str | None
) -> None:
    """Over, arranged, in court or shielded: recalled at once, told, and deleted by a day."""
    async with a_house(tmp_path) as house:
        await ready(house)
        await approve(house)
        await place(house)

        await befall(house, what)

        async with house.desk.records.work() as work:
            placement = await house.placing.placement(work, "L-1")
            tasks = {one.kind for one in await work.find(Task, state="OPEN")}
            told = (await work.connection.execute(select(OUTBOX.c.message_id))).scalars().all()

    assert (placement.is_out, placement.why) == (why is None, why or "")
    assert ("AGENCY_DELETION" in tasks) is (why is not None)
    assert bool([one for one in told if "agency_recalled" in one]) is (why is not None)
