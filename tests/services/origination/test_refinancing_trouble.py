"""What the ledger or the bank refuses of a refinancing: nothing is owed twice, nothing is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination import wire
from services.origination.application import names
from services.origination.application.cancelling import Cancelling
from services.origination.application.disbursing import Disbursing
from services.origination.application.orders import disbursal
from services.origination.domain.payouts import Payout
from services.origination.domain.state_machine import Status
from shared.kernel.errors import Exhausted, InvalidArgument, LendingError, Refused, Unavailable
from tests.services.origination.counterparts import (
    OLD,
    OLD_PAYOFF,
    OLD_PER_DAY,
    TODAY,
    LoanIsSettled,
    RepaymentAbovePayoff,
)
from tests.services.origination.killing import LENT, contracted, disburse_request
from tests.services.origination.room import NotOpen, Room, open_room

PAYOFF_ID, REST_ID = f"payoff-A-1-{OLD_PAYOFF}", "payout-A-1-1-rest"


class BusinessDateNotSet(Refused):
    """The ledger was just restored, and has no date yet."""


class LoanIsChargedOff(Refused):
    """Money on it is a recovery now."""


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with open_room(tmp_path) as made:
        await made.store(msgspec.structs.replace(contracted(), refinances=OLD))
        yield made


PASSING = [
    # what the ledger answers to the payoff that it would have taken a moment ago
    BusinessDateNotSet("no business date yet"),
    RepaymentAbovePayoff("more than is owed"),
    InvalidArgument("a field that it does not know"),
    Exhausted("more work than it takes"),
]


@pytest.mark.parametrize("refusal", PASSING)
async def test_a_refusal_that_may_pass_is_asked_again(room: Room, refusal: LendingError) -> None:
    """The borrower does not get what the old loan still needs; it is paid off later."""
    room.ledger.trouble[PAYOFF_ID] = refusal
    with pytest.raises(type(refusal)):
        await room.disburse()
    waits = await room.resume()

    room.ledger.trouble.clear()
    ended = await room.resume()

    assert waits.status is Status.DISBURSING
    assert waits.payouts[-1].rest_minor == 0
    assert ended.status is Status.DISBURSED
    assert room.repaid(OLD) == {PAYOFF_ID: OLD_PAYOFF}
    assert room.bank.paid == {"payout-A-1-1": LENT - OLD_PAYOFF}


async def test_a_loan_that_takes_no_money_leaves_it_to_the_borrower(room: Room) -> None:
    """Charged off in the meantime: nothing goes there, and the trail says why."""
    room.ledger.trouble[PAYOFF_ID] = LoanIsChargedOff("post a recovery")

    ended = await room.disburse()

    assert ended.status == pb.APPLICATION_STATUS_DISBURSED
    assert room.bank.paid == {"payout-A-1-1": LENT - OLD_PAYOFF, REST_ID: OLD_PAYOFF}
    assert "ledger: LOAN_IS_CHARGED_OFF" in [line.note for line in ended.trail]


async def test_a_rest_that_comes_back_is_repaid_until_the_ledger_takes_it(room: Room) -> None:
    """The bank is asked once, the ledger until it takes it; who looks sees why it waits."""
    room.bank.closed = {REST_ID}
    room.ledger.meanwhile_minor, room.ledger.turns_on_disbursal = 20_000, True
    room.ledger.trouble[REST_ID] = BusinessDateNotSet("no business date yet")
    rest = 20_000 - OLD_PER_DAY
    with pytest.raises(BusinessDateNotSet):
        await room.disburse()
    await room.resume()
    waits = await room.resume()
    seen = wire.application_message(waits).payouts[-1]

    room.ledger.trouble.clear()
    ended = await room.resume()

    assert waits.status is Status.DISBURSING
    assert (seen.rest_minor, seen.rest_returned) == (rest, "account closed")
    assert seen.rest_refused == "BUSINESS_DATE_NOT_SET"
    assert [line.step for line in waits.trail].count("rest-refused") == 1
    assert ended.status is Status.DISBURSED
    assert (ended.payouts[-1].rest_repaid, ended.payouts[-1].rest_refused) == (True, "")
    assert room.repaid("L-A-1") == {REST_ID: rest}
    assert room.ledger.loans["L-A-1"].payoff(room.ledger.on) == LENT - rest
    assert room.bank.asked[REST_ID] == 1


DAYS = [
    # days that the order waits | where it then ends
    (1, Status.DISBURSED),
    ((LENT - OLD_PAYOFF) // OLD_PER_DAY - 1, Status.DISBURSED),
    ((LENT - OLD_PAYOFF) // OLD_PER_DAY, Status.PAYOUT_RETURNED),
]


@pytest.mark.parametrize(("days", "status"), DAYS)
async def test_an_order_that_waits_pays_what_the_old_loan_needs_by_then(
    room: Room, days: int, status: Status
) -> None:
    """A risen payoff is taken from the borrower's part; where none is left, nothing is sent."""
    room.desk.ledger = NotOpen(room.ledger)
    with pytest.raises(Unavailable):
        await room.disburse()
    room.desk.ledger, room.ledger.on = room.ledger, TODAY + timedelta(days=days)

    ended = await room.resume()

    needed = OLD_PAYOFF + days * OLD_PER_DAY
    assert ended.status is status
    if status is Status.DISBURSED:
        assert room.repaid(OLD) == {f"payoff-A-1-{needed}": needed}
        assert room.bank.paid == {"payout-A-1-1": LENT - needed}
        return
    assert ended.payouts[-1].returned == "origination: REFINANCING_TOO_SMALL"
    assert room.bank.paid == {}
    assert list(room.ledger.loans) == [OLD]


async def test_ids_of_two_applications_do_not_meet(room: Room) -> None:
    """The second part of one and the only part of another, whose name ends in that number."""
    other = msgspec.structs.replace(contracted(), application_id="A-2-2")
    await room.store(msgspec.structs.replace(contracted(2), application_id="A-2"))
    await room.store(other)
    disbursing = Disbursing(room.desk, room.bank)
    for number in (1, 2):
        part = pb.DisburseTrancheRequest(request_id=f"p-{number}", application_id="A-2")
        part.amount.amount_minor, part.amount.currency = LENT // 2, "CNY"
        await disbursing.disburse_part(part)
    await disbursing.disburse(disburse_request("A-2-2"))

    ends = [(await room.desk.load(name)).status for name in ("A-2", "A-2-2")]
    assert ends == [Status.DISBURSED, Status.DISBURSED]
    assert len(room.bank.paid) == 3
    assert [room.ledger.loans[f"L-{n}"].payoff(TODAY) for n in ("A-2", "A-2-2")] == [LENT, LENT]


async def test_ids_of_two_cancellations_do_not_meet(room: Room) -> None:
    """One given back the second time, and one whose name ends in that number."""
    cancelling = Cancelling(room.desk)
    for name in ("A-2", "A-2-2"):
        await room.store(msgspec.structs.replace(contracted(), application_id=name))
        await Disbursing(room.desk, room.bank).disburse(disburse_request(name))
        paid = await room.desk.load(name)
        await room.desk.swap(paid, msgspec.structs.replace(paid, cooling_off_until_on=TODAY))

    def give_back(name: str, request_id: str) -> pb.CancelLoanRequest:
        asked = pb.CancelLoanRequest(request_id=request_id, application_id=name)
        asked.amount.amount_minor, asked.amount.currency = LENT, "CNY"
        return asked

    room.ledger.trouble["cancellation-A-2-1"] = LoanIsSettled("not now")
    with pytest.raises(LoanIsSettled):
        await cancelling.cancel(give_back("A-2", "c-1"))
    await cancelling.cancel(give_back("A-2", "c-2"))
    await cancelling.cancel(give_back("A-2-2", "c-3"))

    ends = [(await room.desk.load(name)).status for name in ("A-2", "A-2-2")]
    assert ends == [Status.CANCELLED, Status.CANCELLED]
    assert room.repaid("L-A-2") == {"cancellation-A-2-2": LENT}
    assert room.repaid("L-A-2-2") == {"cancellation-A-2-2-1": LENT}


def test_what_began_with_an_older_id_ends_with_it() -> None:
    """The ledger may have heard of it under that id: it is asked under no other."""
    begun = Payout(payout_id="payout-A-1-1", account_ref="", amount_minor=1, value_on=TODAY)
    older = msgspec.structs.replace(contracted(), payouts=(begun,))

    assert disbursal(older).request_id == "disburse-A-1"
    assert names.older_cancellation_id("A-1", 1) == "cancel-A-1"
    assert names.older_cancellation_id("A-1", 2) == "cancel-A-1-2"
