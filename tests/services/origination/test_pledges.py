"""One thing, one policy, one insurer under many applications: counted once, together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lending.common.v1 import money_pb2
from lending.ledger.v1 import loan_pb2
from lending.origination.v1 import origination_service_pb2 as pb
from lending.origination.v1 import security_service_pb2 as security_pb

from services.origination import wire_security
from services.origination.application.desk import Desk
from services.origination.application.offering import withdraw
from services.origination.application.securing import Securing
from services.origination.domain.guarantors import (
    GuarantorNotRegistered,
    GuarantorOverDebtorLimit,
    GuarantorOverGroupLimit,
    GuarantorOverLimit,
)
from services.origination.domain.pledges import PolicySecuresAnother
from services.origination.domain.securities import LoanToValueExceeded, SecurityCurrencyDiffers
from services.origination.domain.state_machine import Status
from shared.kernel.errors import LendingError
from tests.services.origination.counterparts import TODAY, Account
from tests.services.origination.killing import contracted
from tests.services.origination.room import Room, open_room, register

NAMES = ("A-1", "A-2", "A-3")
THING = pb.Collateral(description="a car", value_minor=200_000, valued_on=TODAY.isoformat())


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with open_room(tmp_path) as made:
        for name in NAMES:
            given = {"application_id": name, "borrower_ref": f"B-{name}", "terms_json": ""}
            given |= {"contract_sha256": "", "signatures": (), "status": Status.SUBMITTED}
            await made.store(msgspec.structs.replace(contracted(), **given))
        await register(made.desk, "PICC", 100_000_000)
        yield made


def policy(number: str) -> pb.Insurance:
    return pb.Insurance(
        policy_number=number,
        valid_from="2026-01-01",
        valid_until="2027-12-31",
        cover_share="0.9",
    )


async def add(
    desk: Desk, name: str, provider: str, amount: int, *, currency: str = "CNY", **what: Any
) -> pb.Application:
    """Take a thing or a policy in for an application."""
    kind = pb.GUARANTEE_KIND_COLLATERAL if "collateral" in what else pb.GUARANTEE_KIND_INSURANCE
    asked = pb.AddGuaranteeRequest(
        request_id=f"add-{name}-{provider}-{amount}",
        application_id=name,
        kind=kind,
        provider_ref=provider,
        amount=money_pb2.Money(amount_minor=amount, currency=currency),
        **what,
    )
    return await Securing(desk, wire_security).add(asked)


async def test_a_thing_secures_no_more_than_it_is_worth_under_all_applications(room: Room) -> None:
    """Worth 2,000.00 it secures 1,200.00 of one loan and 800.00 of another, not a cent more."""
    await add(room.desk, "A-1", "Car-1", 120_000, collateral=THING)
    with pytest.raises(LoanToValueExceeded) as refused:
        await add(room.desk, "A-2", "Car-1", 80_001, collateral=THING)

    secured = await add(room.desk, "A-2", "Car-1", 80_000, collateral=THING)

    assert refused.value.expected == "up to 80000 minor units"
    assert refused.value.facts["secured_here_minor"] == "120000"
    assert secured.guarantees[0].amount_minor == 80_000


async def test_a_policy_secures_one_loan(room: Room) -> None:
    """However its number is typed; another insurer's policy may have the same number."""
    await add(room.desk, "A-1", "PICC", 100_000, insurance=policy("PGI 7a"))
    await register(room.desk, "CPIC", 100_000_000)

    with pytest.raises(PolicySecuresAnother):
        await add(room.desk, "A-2", "PICC", 100_000, insurance=policy("pgi7A "))
    with pytest.raises(PolicySecuresAnother):  # as it is typed on a Chinese keyboard, and pasted
        await add(room.desk, "A-2", "PICC", 100_002, insurance=policy("ＰＧＩ\u200b７ａ"))
    await add(room.desk, "A-2", "PICC", 100_001, insurance=policy("PGI 8"))
    await add(room.desk, "A-3", "CPIC", 100_000, insurance=policy("PGI 7a"))


ENDS = ["withdrawn", "released"]


@pytest.mark.parametrize("end", ENDS)
async def test_what_ends_or_is_released_secures_another(room: Room, end: str) -> None:
    """The policy, the thing and the insurer's room are free again."""
    desk = room.desk
    await register(desk, "PICC", 10_000_000)
    await add(desk, "A-1", "PICC", 100_000, insurance=policy("P-1"))
    await add(desk, "A-1", "Car-1", 200_000, collateral=THING)
    request = pb.ApplicationRequest(request_id="w-1", application_id="A-1")
    if end == "withdrawn":
        await desk.step(request, "WithdrawApplication", withdraw(desk))
    else:
        one = await desk.load("A-1")
        await room.store(msgspec.structs.replace(one, status=Status.DISBURSED))
        room.ledger.loans[one.loan_id] = Account(loan_pb2.Terms())  # nothing is owed
        for name in ("PICC", "Car-1"):
            asked = security_pb.ReleaseGuaranteeRequest(request_id=f"r-{name}")
            asked.application_id, asked.guarantee_id = "A-1", name
            await Securing(desk, wire_security).release(asked)

    await add(desk, "A-2", "PICC", 100_000, insurance=policy("P-1"))
    await add(desk, "A-2", "Car-1", 200_000, collateral=THING)

    house = await Securing(desk, wire_security).guarantor("PICC")
    assert list(house.application_ids) == ["A-2"]


OVER = [
    # the insurer's net assets, what it insures elsewhere | asked for A-2 | reason
    (9_999_900, 0, 100_000, GuarantorOverDebtorLimit),  # 1 % for one debtor
    (25_000_000, 99_900_000, 100_001, GuarantorOverLimit),  # four times in all
    (10_000_000, 0, 100_000, None),
]


@pytest.mark.parametrize(("assets", "elsewhere", "asked", "refusal"), OVER)
async def test_an_insurer_stays_within_its_limits(
    room: Room, assets: int, elsewhere: int, asked: int, refusal: type[LendingError] | None
) -> None:
    """Its share in our loans is limited, for one debtor and in all, over its net assets."""
    figures = security_pb.RegisterGuarantorRequest(
        request_id="picc-2",
        guarantor_ref="PICC",
        net_assets=money_pb2.Money(amount_minor=assets, currency="CNY"),
        elsewhere_minor=elsewhere,
        stated_on="2025-12-31",
    )
    await Securing(room.desk, wire_security).register(figures)
    if refusal is None:
        assert (await add(room.desk, "A-2", "PICC", asked, insurance=policy("P-1"))).guarantees
        return
    with pytest.raises(refusal) as refused:
        await add(room.desk, "A-2", "PICC", asked, insurance=policy("P-1"))
    assert "2020" in refused.value.facts["source"]


async def test_an_insurer_stays_within_its_limit_for_related_debtors(room: Room) -> None:
    """Two debtors of one group count together."""
    await register(room.desk, "PICC", 15_000_000)
    group = {"debtor_group": "family-1"}
    await add(room.desk, "A-1", "PICC", 100_000, insurance=policy("P-1"), **group)

    with pytest.raises(GuarantorOverGroupLimit):
        await add(room.desk, "A-2", "PICC", 50_001, insurance=policy("P-2"), **group)
    await add(room.desk, "A-2", "PICC", 50_000, insurance=policy("P-2"), **group)


async def test_an_insurer_is_registered_first(room: Room) -> None:
    """Without its net assets nobody knows how much it may insure."""
    with pytest.raises(GuarantorNotRegistered):
        await add(room.desk, "A-1", "nobody", 100_000, insurance=policy("P-1"))


async def test_a_thing_secures_loans_of_one_currency(room: Room) -> None:
    """What is left of its value is not guessed across currencies."""
    await add(room.desk, "A-1", "Car-1", 10_000, collateral=THING)
    other = await room.desk.load("A-2")
    await room.store(msgspec.structs.replace(other, currency="EUR"))

    with pytest.raises(SecurityCurrencyDiffers):
        await add(room.desk, "A-2", "Car-1", 10_000, currency="EUR", collateral=THING)


async def test_what_was_released_stays_released_since_then(room: Room) -> None:
    """Released again under another id it is not released later."""
    desk, days = room.desk, []
    await add(desk, "A-1", "Car-1", 200_000, collateral=THING)
    await desk.step(
        pb.ApplicationRequest(request_id="w-1", application_id="A-1"), "Withdraw", withdraw(desk)
    )
    for number in (1, 2):
        asked = security_pb.ReleaseGuaranteeRequest(request_id=f"r-{number}")
        asked.application_id, asked.guarantee_id = "A-1", "Car-1"
        released = await Securing(desk, wire_security).release(asked)
        days.append(released.guarantees[0].released_on)
        room.ledger.on += timedelta(days=1)

    assert days == [TODAY.isoformat()] * 2
