"""A payout that came to nothing: what each refusal says can be done can be done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application.offering import choose, withdraw
from services.origination.domain.application import Application, Offer
from services.origination.domain.disclosure import (
    APPLY_AGAIN,
    CHOOSE_AGAIN,
    DisclosureOutOfDate,
)
from services.origination.domain.state_machine import ContractAlreadyAccepted, Status
from shared.kernel.errors import Unavailable
from tests.services.origination.counterparts import OLD, TODAY
from tests.services.origination.killing import contracted
from tests.services.origination.room import NotOpen, Room, open_room


def offered(**other: object) -> Application:
    """Return an accepted contract over the offer that was chosen."""
    given = contracted()
    offer = Offer(
        offer_id="1m",
        grade="",
        terms_json=given.terms_json,
        total_payable_minor=100_000,
        all_in_rate_annual="0",
        principal_minor=100_000,
    )
    return msgspec.structs.replace(given, offers=(offer,), offer_id="1m", **other)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with open_room(tmp_path) as made:
        yield made


async def taken(room: Room, step: str) -> pb.Application:
    request = pb.ApplicationRequest(request_id=f"{step}-1", application_id="A-1")
    prepare = choose(room.desk, "1m") if step == "choose" else withdraw(room.desk)
    return await room.desk.step(request, step, prepare)


async def test_an_offer_is_chosen_again_while_the_ledger_has_no_loan(room: Room) -> None:
    """Nothing was opened under the old terms, so new ones may be agreed on."""
    await room.store(offered(refinances=OLD))
    room.ledger.loans[OLD].per_day_minor = 80_000
    room.desk.ledger = NotOpen(room.ledger)
    with pytest.raises(Unavailable):
        await room.disburse()
    room.desk.ledger, room.ledger.on = room.ledger, TODAY + timedelta(days=1)

    returned = await room.resume()
    chosen = await taken(room, "choose")

    assert returned.payouts[-1].returned == "origination: REFINANCING_TOO_SMALL"
    assert "L-A-1" not in room.ledger.loans
    assert chosen.status == pb.APPLICATION_STATUS_OFFERED
    assert (chosen.contract_sha256, list(chosen.signed_by)) == ("", [])


async def test_a_loan_that_was_opened_keeps_its_terms(room: Room) -> None:
    """The bank returned the money: another offer needs another application, as is said."""
    await room.store(offered())
    room.bank.closed = {"payout-A-1-1"}
    returned = await room.disburse()

    with pytest.raises(ContractAlreadyAccepted) as refused:
        await taken(room, "choose")
    withdrawn = await taken(room, "withdraw")

    assert returned.status == pb.APPLICATION_STATUS_PAYOUT_RETURNED
    assert refused.value.expected == APPLY_AGAIN
    assert withdrawn.status == pb.APPLICATION_STATUS_WITHDRAWN


BOOKED = [
    # the ledger has the loan | what can be done when it would now cost more than was disclosed
    (False, CHOOSE_AGAIN),
    (True, APPLY_AGAIN),
]


@pytest.mark.parametrize(("booked", "way_on"), BOOKED)
async def test_the_way_on_is_one_that_is_open(room: Room, booked: bool, way_on: str) -> None:
    """Dearer than disclosed: an offer chosen again, or where that is refused a new application."""
    given = offered(status=Status.PAYOUT_RETURNED if booked else Status.CONTRACTED)
    cheaper = msgspec.structs.replace(given.offers[0], total_payable_minor=99_999)
    await room.store(msgspec.structs.replace(given, offers=(cheaper,)))
    if booked:
        room.ledger.loans["L-A-1"] = room.ledger.loans[OLD]

    with pytest.raises(DisclosureOutOfDate) as refused:
        await room.disburse()

    assert refused.value.expected == way_on
    assert (await room.desk.load("A-1")).payouts == ()
    assert room.ledger.on == TODAY
