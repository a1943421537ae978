"""Who is registered only now answers already: for policies that stood before it was known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from lending.common.v1 import money_pb2
from lending.origination.v1 import security_service_pb2 as security_pb

from services.origination import wire_security
from services.origination.application.desk import Desk
from services.origination.application.filling import fill_pledges
from services.origination.application.holding import hold
from services.origination.application.securing import Securing
from services.origination.domain.application import Application
from services.origination.domain.guarantors import GuarantorOverLimit
from services.origination.domain.state_machine import Status
from tests.services.origination.counterparts import TODAY
from tests.services.origination.killing import POLICIES, contracted
from tests.services.origination.room import Room, open_room, register
from tests.services.origination.test_filling import INSURED
from tests.services.origination.test_pledges import add, policy
from tests.services.origination.test_two_processes import desks

__all__ = ["desks"]
OTHER_HOUSE = msgspec.structs.replace(INSURED, guarantee_id="CPIC", provider_ref="CPIC")
OLDER = {
    # application | where it stands, in which currency, what secures it
    "A-1": (Status.DISBURSED, "CNY", (INSURED, OTHER_HOUSE)),
    "A-2": (Status.SUBMITTED, "CNY", ()),
    "A-3": (Status.DISBURSED, "CNY", (msgspec.structs.replace(INSURED, released_on=TODAY),)),
    "A-4": (Status.WITHDRAWN, "CNY", (INSURED,)),
    "A-5": (Status.DISBURSED, "USD", (INSURED,)),
}
NOT_LIMITED = msgspec.structs.replace(POLICIES, insurer_limit=())


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with open_room(tmp_path) as made:
        for name, (status, currency, secured) in OLDER.items():
            given = {"application_id": name, "borrower_ref": f"B-{name}", "terms_json": ""}
            given |= {"contract_sha256": "", "signatures": (), "status": status}
            given |= {"guarantees": secured, "currency": currency}
            await made.store(msgspec.structs.replace(contracted(), **given))
        await fill_pledges(made.desk)
        yield made


async def take_in(desk: Desk, name: str, assets: int, request_id: str = "g-1") -> tuple[int, ...]:
    """Register a house; return what it answers for, and under how many applications."""
    asked = security_pb.RegisterGuarantorRequest(
        request_id=request_id,
        guarantor_ref=name,
        net_assets=money_pb2.Money(amount_minor=assets, currency="CNY"),
        stated_on=TODAY.isoformat(),
    )
    found = await Securing(desk, wire_security).register(asked)
    return found.outstanding_minor, len(found.application_ids)


async def test_its_older_policies_count_against_its_limit(room: Room) -> None:
    """Of four times its net assets is left what they leave; what ended or was let go is free."""
    assert await take_in(room.desk, "PICC", 40_000) == (100_000, 1)

    with pytest.raises(GuarantorOverLimit, match="60000 more"):
        await add(room.desk, "A-2", "PICC", 60_001, insurance=policy("PGI 8"))


async def test_more_than_the_limit_stands_and_leaves_no_room(room: Room) -> None:
    """What was promised before is not undone by counting it."""
    assert await take_in(room.desk, "PICC", 1_000) == (100_000, 1)

    with pytest.raises(GuarantorOverLimit, match="guarantee 0 more"):
        await add(room.desk, "A-2", "PICC", 1, insurance=policy("PGI 8"))


async def test_stated_anew_it_is_counted_once(room: Room) -> None:
    """Figures are stated every quarter; policies are not counted again by that."""
    await take_in(room.desk, "PICC", 40_000)

    assert await take_in(room.desk, "PICC", 50_000, "g-2") == (100_000, 1)


async def test_one_that_an_earlier_version_registered_is_counted_at_the_start(room: Room) -> None:
    """Its policies were passed over when it was registered: the next start counts them, once."""
    await register(room.desk, "PICC", 100_000_000)
    async with room.desk.records.work() as work:
        change = "UPDATE records SET id = 'pledges/1' WHERE kind = 'Filled'"
        await work.connection.exec_driver_sql(change)

    for _ in range(2):
        await fill_pledges(room.desk)

    house = await Securing(room.desk, wire_security).guarantor("PICC")
    assert (house.outstanding_minor, list(house.application_ids)) == (100_000, ["A-1"])


async def test_where_no_limit_holds_yet_a_registered_house_is_counted(room: Room) -> None:
    """The limit may come later: what it then counts from is there."""
    free = replace(room.desk, policies=NOT_LIMITED)
    await take_in(free, "PICC", 1_000)

    await add(free, "A-2", "PICC", 50_000, insurance=policy("PGI 8"))
    await add(free, "A-2", "unknown-house", 50_000, insurance=policy("PGI 9"))

    house = await Securing(free, wire_security).guarantor("PICC")
    assert (house.outstanding_minor, list(house.application_ids)) == (150_000, ["A-1", "A-2"])


async def test_registered_while_a_policy_is_taken_in(desks: tuple[Desk, Desk]) -> None:
    """Two processes: whichever is first, the policy is counted, and once."""
    one, other = (replace(desk, policies=NOT_LIMITED) for desk in desks)
    for number in range(20):
        name, house = f"A-{number}", f"house-{number}"
        given = {"application_id": name, "borrower_ref": f"B-{name}", "terms_json": ""}
        given |= {"contract_sha256": "", "signatures": (), "status": Status.SUBMITTED}
        async with one.records.work() as work:
            held = await hold(work, Application, name)
            await one.keep(held, msgspec.structs.replace(contracted(), **given))

        await asyncio.gather(
            add(one, name, house, 50_000, insurance=policy(f"PGI {number}")),
            take_in(other, house, 1_000, f"g-{number}"),
        )

        found = await Securing(one, wire_security).guarantor(house)
        assert (found.outstanding_minor, list(found.application_ids)) == (50_000, [name])
