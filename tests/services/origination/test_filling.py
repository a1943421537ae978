"""Applications from before things and policies were counted: what they secure counts as well."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from services.origination import wire_security
from services.origination.application.filling import fill_pledges
from services.origination.application.securing import Securing
from services.origination.domain.pledges import Pledge, PolicySecuresAnother
from services.origination.domain.securities import (
    INSURANCE,
    Collateral,
    Guarantee,
    Insurance,
    LoanToValueExceeded,
)
from services.origination.domain.state_machine import Status
from tests.services.origination.counterparts import TODAY
from tests.services.origination.killing import contracted
from tests.services.origination.mortal import Killable, Killed
from tests.services.origination.room import Room, open_room, register
from tests.services.origination.test_pledges import THING, add, policy

INSURED = Guarantee(
    guarantee_id="PICC",
    kind=INSURANCE,
    provider_ref="PICC",
    amount_minor=100_000,
    insurance=Insurance(
        policy_number="PGI 7",
        valid_from=date(2026, 1, 1),
        valid_until=date(2027, 12, 31),
        cover_share=Decimal("0.9"),
        deductible_minor=0,
        waiting_days=0,
    ),
)
CAR = Guarantee(
    guarantee_id="Car-1",
    kind="GUARANTEE_KIND_COLLATERAL",
    provider_ref="Car-1",
    amount_minor=150_000,
    collateral=Collateral(
        description="a car", value_minor=200_000, valued_on=TODAY, prior_liens_minor=0
    ),
)
OLDER = {
    # application | where it stands, and what secures it
    "A-1": (Status.DISBURSED, (INSURED, CAR)),
    "A-2": (Status.SUBMITTED, ()),
    "A-3": (Status.DISBURSED, (msgspec.structs.replace(CAR, released_on=TODAY),)),
}


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with open_room(tmp_path) as made:
        for name, (status, secured) in OLDER.items():
            given = {"application_id": name, "borrower_ref": f"B-{name}", "terms_json": ""}
            given |= {"contract_sha256": "", "signatures": (), "status": status}
            await made.store(msgspec.structs.replace(contracted(), guarantees=secured, **given))
        await register(made.desk, "PICC", 100_000_000)
        yield made


async def counted(room: Room) -> dict[str, list[tuple[str, int]]]:
    async with room.desk.records.work() as work:
        return {
            pledge.pledge_id.partition("/")[0]: [
                (one.application_id, one.amount_minor) for one in pledge.secured
            ]
            async for pledge in work.every(Pledge)
        }


async def test_what_an_older_loan_holds_secures_no_other(room: Room) -> None:
    """Neither its policy nor more of its thing than is left; a released one is free."""
    await fill_pledges(room.desk)

    with pytest.raises(PolicySecuresAnother):
        await add(room.desk, "A-2", "PICC", 100_000, insurance=policy("PGI 7"))
    with pytest.raises(LoanToValueExceeded):
        await add(room.desk, "A-2", "Car-1", 50_001, collateral=THING)
    await add(room.desk, "A-2", "Car-1", 50_000, collateral=THING)

    assert await counted(room) == {
        "policy": [("A-1", 100_000)],
        "thing": [("A-1", 150_000), ("A-2", 50_000)],
    }
    house = await Securing(room.desk, wire_security).guarantor("PICC")
    assert (list(house.application_ids), house.outstanding_minor) == (["A-1"], 100_000)


async def test_two_older_loans_of_one_policy_stay_and_a_third_is_refused(room: Room) -> None:
    """What was secured twice is not undone by counting it; people see it in the log."""
    one = await room.desk.load("A-3")
    await room.store(msgspec.structs.replace(one, guarantees=(INSURED,)))

    await fill_pledges(room.desk)

    assert (await counted(room))["policy"] == [("A-1", 100_000), ("A-3", 100_000)]
    with pytest.raises(PolicySecuresAnother):
        await add(room.desk, "A-2", "PICC", 100_000, insurance=policy("PGI 7"))


async def test_killed_anywhere_it_counts_once(room: Room) -> None:
    """Begun anew by the next process; done once, nothing is read again."""
    at, died = 1, True
    while died:
        try:
            await Killable(fill_pledges(room.desk), at)
            died = False
        except Killed:
            at += 2
    before = await counted(room)
    await fill_pledges(room.desk)

    assert at > 10
    assert before == await counted(room)
    assert before == {"policy": [("A-1", 100_000)], "thing": [("A-1", 150_000)]}
