"""What payer or ledger refuse for good does not hang for ever: two persons say what came of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application.disbursing import Disbursing
from services.origination.application.resolving import Resolving
from services.origination.domain.application import Application
from services.origination.domain.proposals import ProposerIsTheSame
from services.origination.domain.resolutions import OutcomeNotPossible, PayoutNotStuck
from services.origination.domain.state_machine import PayoutNotUnderWay, Status
from shared.kernel.errors import InvalidArgument, Unavailable
from tests.services.origination.counterparts import OLD, OLD_PAYOFF, LoanIsSettled
from tests.services.origination.killing import LENT, contracted
from tests.services.origination.room import Room, open_room

ORDER, REST_ID, PAYOFF_ID = "payout-A-1-1", "payout-A-1-1-rest", f"payoff-A-1-{OLD_PAYOFF}"
NOT_THERE = InvalidArgument("no such loan any more")


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with open_room(tmp_path) as made:
        await made.store(contracted())
        yield made


async def refinancing(room: Room) -> None:
    await room.store(msgspec.structs.replace(contracted(), refinances=OLD))


async def say(room: Room, outcome: int, by: str, reference: str, **other: Any) -> pb.Application:
    """Have one person say what became of the order."""
    body = {"application_id": "A-1", "payout_id": ORDER, "request_id": f"say-{by}-{outcome}"}
    body |= {"outcome": outcome, "resolved_by": by, "reference": reference, **other}
    resolving = Resolving(room.desk, Disbursing(room.desk, room.bank))
    return await resolving.resolve(pb.ResolvePayoutRequest(**body))


async def both_say(room: Room, outcome: int, *references: str) -> Application:
    """Have two persons say the same, in their own words if they have two."""
    await say(room, outcome, "officer-1", references[0])
    await say(room, outcome, "officer-2", references[-1])
    return await room.desk.load("A-1")


async def test_an_order_that_the_payer_refuses_waits_for_people(room: Room) -> None:
    """It is asked once, not for ever; who looks sees why, and who has said what so far."""
    room.bank.refuses = {ORDER}

    first = await room.disburse()
    await room.resume()
    waits = await say(room, pb.PAYOUT_OUTCOME_RETURNED, "officer-1", "no such branch")
    with pytest.raises(ProposerIsTheSame):
        await say(room, pb.PAYOUT_OUTCOME_RETURNED, "officer-1", "again", request_id="say-2")

    assert first.status == waits.status == pb.APPLICATION_STATUS_DISBURSING
    assert first.payouts[-1].stopped == "the payer answers 422 no such branch"
    assert (waits.pending.what, waits.pending.by) == ("resolve", "officer-1")
    assert waits.pending.said == f"{ORDER} order RETURNED"
    assert room.bank.asked[ORDER] == 1


ENDS = [
    # what two persons say      | the application then is | the ledger has lent
    (pb.PAYOUT_OUTCOME_RETURNED, Status.PAYOUT_RETURNED, {}),
    (pb.PAYOUT_OUTCOME_PAID, Status.DISBURSED, {"disbursal-A-1-1": LENT}),
    (pb.PAYOUT_OUTCOME_AGAIN, Status.DISBURSED, {"disbursal-A-1-1": LENT}),
]


@pytest.mark.parametrize(("outcome", "status", "lent"), ENDS)
async def test_two_persons_say_what_became_of_it(
    room: Room, outcome: int, status: Status, lent: dict[str, int]
) -> None:
    """Never paid, paid after all, or asked again after the payer's table was mended."""
    room.bank.refuses = {ORDER}
    await room.disburse()
    room.bank.refuses = set()

    ended = await both_say(room, outcome, "bank-77")

    assert ended.status is status
    out = room.ledger.loans["L-A-1"].out
    assert {name: amount for name, (_, amount) in out.items()} == lent
    assert (ended.payouts[-1].stopped, ended.proposal) == ("", None)
    asked_again = outcome == pb.PAYOUT_OUTCOME_AGAIN
    assert (room.bank.moves, room.bank.asked[ORDER]) == (int(asked_again), 1 + asked_again)


async def test_a_payoff_that_the_ledger_never_takes_is_dealt_with_by_people(room: Room) -> None:
    """The loan stands as it was lent; the other loan's money is where people say."""
    await refinancing(room)
    room.ledger.trouble[PAYOFF_ID] = NOT_THERE
    with pytest.raises(InvalidArgument):
        await room.disburse()
    waits = await room.resume()
    with pytest.raises(OutcomeNotPossible):
        await say(room, pb.PAYOUT_OUTCOME_PAID, "officer-1", "x", request_id="say-0")
    await say(room, pb.PAYOUT_OUTCOME_BY_HAND, "officer-1", "voucher 12")

    ended = await say(room, pb.PAYOUT_OUTCOME_BY_HAND, "officer-2", "Voucher No. 12")

    assert waits.payouts[-1].payoff_refused == "INVALID_ARGUMENT"
    assert [line.step for line in waits.trail].count("payoff-refused") == 1
    assert ended.status == pb.APPLICATION_STATUS_DISBURSED
    assert ended.payouts[-1].payoff_by_hand == "Voucher No. 12"
    assert room.repaid(OLD) == {}
    assert room.bank.paid == {ORDER: LENT - OLD_PAYOFF}
    assert room.ledger.loans["L-A-1"].payoff(room.ledger.on) == LENT


async def test_a_rest_that_the_ledger_never_takes_back(room: Room) -> None:
    """The new loan was settled meanwhile: the returned money is the borrower's, by hand."""
    await refinancing(room)
    room.ledger.trouble[PAYOFF_ID] = LoanIsSettled("nothing is owed")
    room.ledger.trouble[REST_ID] = NOT_THERE
    room.bank.closed = {REST_ID}
    with pytest.raises(InvalidArgument):
        await room.disburse()
    await say(room, pb.PAYOUT_OUTCOME_BY_HAND, "officer-1", "cheque 9")

    ended = await say(room, pb.PAYOUT_OUTCOME_BY_HAND, "officer-2", "cheque 9")

    assert ended.status == pb.APPLICATION_STATUS_DISBURSED
    assert ended.payouts[-1].rest_by_hand == "cheque 9"
    assert room.bank.asked[REST_ID] == 1


async def test_a_rest_that_the_payer_refuses(room: Room) -> None:
    """It never went out: the new loan is repaid with it, as with one that came back."""
    await refinancing(room)
    room.ledger.trouble[PAYOFF_ID] = LoanIsSettled("nothing is owed")
    room.bank.refuses = {REST_ID}
    await room.disburse()

    ended = await both_say(room, pb.PAYOUT_OUTCOME_RETURNED, "no", "no, never")

    assert ended.status is Status.DISBURSED
    assert ended.payouts[-1].rest_repaid
    assert room.repaid("L-A-1") == {REST_ID: OLD_PAYOFF}


async def test_what_goes_on_by_itself_is_not_resolved(room: Room) -> None:
    """Nobody overrules an order that is only waiting, or one that has ended."""
    with pytest.raises(PayoutNotUnderWay):
        await say(room, pb.PAYOUT_OUTCOME_PAID, "officer-1", "x")
    room.ledger.trouble["disbursal-A-1-1"] = Unavailable("the ledger does not answer")
    with pytest.raises(Unavailable):
        await room.disburse()

    with pytest.raises(PayoutNotStuck):
        await say(room, pb.PAYOUT_OUTCOME_PAID, "officer-1", "x", request_id="say-2")
