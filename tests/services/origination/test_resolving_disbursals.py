"""The bank has paid, and the ledger does not book it: two persons say what becomes of the money."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application.disbursing import Disbursing
from services.origination.application.orders import disbursal
from services.origination.application.resolving import Resolving
from services.origination.domain.application import Application
from services.origination.domain.resolutions import OutcomeNotPossible, PayoutNotStuck
from services.origination.domain.state_machine import Status
from shared.kernel.errors import InvalidArgument, Refused
from tests.services.origination.counterparts import OLD, OLD_PAYOFF, TODAY, DateOutOfOrder
from tests.services.origination.killing import LENT, World, contracted, disburse, resume
from tests.services.origination.room import Room, open_room
from tests.services.origination.test_resolving import ORDER, PAYOFF_ID, both_say, say

OURS, THEIRS = "disbursal-A-1-1", "booked-by-officer-9"
AGAIN, RETURNED = pb.PAYOUT_OUTCOME_AGAIN, pb.PAYOUT_OUTCOME_RETURNED
BY_HAND = pb.PAYOUT_OUTCOME_BY_HAND


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with open_room(tmp_path) as made:
        await made.store(contracted())
        yield made


async def refused(room: Room, given: Application | None = None) -> None:
    """Have an order paid whose disbursal the ledger refuses."""
    await room.store(given or contracted())
    room.ledger.trouble[OURS] = DateOutOfOrder("the day is closed")
    with pytest.raises(DateOutOfOrder):
        await room.disburse()


def lent(room: Room) -> dict[str, tuple[int, int]]:
    """Return what the ledger has paid out, by id: days from today, and how much."""
    out = room.ledger.loans["L-A-1"].out
    return {name: ((on - TODAY).days, amount) for name, (on, amount) in out.items()}


async def test_who_looks_sees_where_it_hangs(room: Room) -> None:
    """The ledger is asked again by itself, and its reason stands in payout and trail, once."""
    await refused(room)
    await room.resume()
    found = await room.resume()

    assert (found.status, found.hangs_at) == (Status.DISBURSING, "disbursal")
    assert found.payouts[-1].disbursal_refused == "DATE_OUT_OF_ORDER"
    assert [line.step for line in found.trail].count("disbursal-refused") == 1
    assert room.bank.moves == 1


async def test_a_reason_that_passes_needs_nobody(room: Room) -> None:
    """The next time the ledger takes it, and nothing hangs any more."""
    await refused(room)
    room.ledger.trouble.clear()

    found = await room.resume()

    assert (found.status, found.hangs_at) == (Status.DISBURSED, "")
    assert lent(room) == {OURS: (0, LENT)}
    with pytest.raises(Refused):
        await say(room, AGAIN, "officer-1", "x")


async def test_asked_again_it_counts_from_the_business_date(room: Room) -> None:
    """A day that the ledger has closed is not asked for again; the bank is not asked at all."""
    await refused(room)
    room.ledger.on += timedelta(days=2)
    room.ledger.trouble.clear()
    await say(room, AGAIN, "officer-1", "that day is closed")

    await say(room, AGAIN, "officer-2", "closed")

    found = await room.desk.load("A-1")
    assert found.status is Status.DISBURSED
    assert lent(room) == {OURS: (2, LENT)}
    assert found.cooling_off_until_on == TODAY + timedelta(days=9)
    assert (room.bank.moves, room.bank.asked[ORDER]) == (1, 1)


async def test_with_a_payoff_it_keeps_its_day(room: Room) -> None:
    """The other loan is paid off for the day that was asked for."""
    await refused(room, msgspec.structs.replace(contracted(), refinances=OLD))
    room.ledger.on += timedelta(days=2)
    room.ledger.trouble.clear()

    await both_say(room, AGAIN, "x")

    assert lent(room) == {OURS: (0, LENT)}
    assert room.repaid(OLD) == {PAYOFF_ID: OLD_PAYOFF}


async def test_money_that_was_taken_back_is_not_lent(room: Room) -> None:
    """Nothing is booked; the application can be withdrawn, or paid out by another order."""
    await refused(room)

    ended = await both_say(room, RETURNED, "recall 7", "recalled by wire 7")

    assert (ended.status, ended.hangs_at) == (Status.PAYOUT_RETURNED, "")
    assert ended.payouts[-1].returned == "recalled by wire 7"
    assert lent(room) == {}
    room.ledger.trouble.clear()
    paid = await room.disburse("once-more")
    assert paid.status == pb.APPLICATION_STATUS_DISBURSED
    assert lent(room) == {"disbursal-A-1-2": (0, LENT)}


async def test_nothing_is_asked_between_two_words(room: Room) -> None:
    """While one person has said that the money was taken back the ledger does not book it."""
    await refused(room)
    await say(room, RETURNED, "officer-1", "recall 7")
    room.ledger.trouble.clear()

    held = await room.resume()
    ended = await say(room, RETURNED, "officer-2", "recall 7")

    assert held.status is Status.DISBURSING
    assert ended.status == pb.APPLICATION_STATUS_PAYOUT_RETURNED
    assert lent(room) == {}


async def test_what_the_ledger_has_booked_is_not_overruled(room: Room) -> None:
    """A call that was on its way arrived after all: the payout goes on, whatever one said."""
    await refused(room)
    await say(room, RETURNED, "officer-1", "recall 7")
    room.ledger.trouble.clear()
    await room.ledger.DisburseLoan(disbursal(await room.desk.load("A-1")))

    with pytest.raises(PayoutNotStuck):
        await say(room, RETURNED, "officer-2", "recall 7")
    ended = await room.resume()

    assert (ended.status, ended.proposal) == (Status.DISBURSED, None)
    assert lent(room) == {OURS: (0, LENT)}


BOOKED = [
    # what officer-9 booked | under which id people say it is | refused
    ({THEIRS: LENT}, THEIRS, ""),
    ({THEIRS: LENT}, "another", "reference"),
    ({THEIRS: LENT - 1}, THEIRS, "reference"),
    ({}, THEIRS, "reference"),
]


@pytest.mark.parametrize(("out", "named", "field"), BOOKED)
async def test_booked_by_hand_it_is_looked_up(
    room: Room, out: dict[str, int], named: str, field: str
) -> None:
    """The evidence is the ledger's own: an id under which it has this amount of this loan."""
    await refused(room)
    room.ledger.loans["L-A-1"].out.update({name: (TODAY, amount) for name, amount in out.items()})

    if field:
        with pytest.raises(OutcomeNotPossible) as impossible:
            await say(room, BY_HAND, "officer-1", named)
        assert impossible.value.field == field
        return
    ended = await both_say(room, BY_HAND, named)

    assert ended.status is Status.DISBURSED
    assert ended.payouts[-1].disbursal_by_hand == THEIRS
    assert lent(room) == {THEIRS: (0, LENT)}


async def test_what_somebody_booked_is_not_called_taken_back(room: Room) -> None:
    """The ledger would show a loan of money that nobody has."""
    await refused(room)
    room.ledger.loans["L-A-1"].out[THEIRS] = TODAY, LENT

    with pytest.raises(OutcomeNotPossible, match="under another id"):
        await say(room, RETURNED, "officer-1", "recall 7")


async def test_one_booking_is_evidence_of_one_part(room: Room) -> None:
    """The second part of the same amount needs a booking of its own."""
    half = LENT // 2
    await refused(room, contracted(2))
    room.ledger.trouble["disbursal-A-1-2"] = InvalidArgument("no")
    part = msgspec.structs.replace(
        (await room.desk.load("A-1")).payouts[-1], amount_minor=half, disbursal_by_hand=THEIRS
    )
    part = msgspec.structs.replace(part, disbursal_refused="")
    second = msgspec.structs.replace(
        part,
        payout_id="payout-A-1-2",
        disbursal_id="disbursal-A-1-2",
        disbursal_by_hand="",
        disbursal_refused="INVALID_ARGUMENT",
    )
    found = await room.desk.load("A-1")
    await room.store(msgspec.structs.replace(found, payouts=(part, second)))
    room.ledger.loans["L-A-1"].out[THEIRS] = TODAY, half

    with pytest.raises(OutcomeNotPossible):
        await say(room, BY_HAND, "officer-1", THEIRS, payout_id="payout-A-1-2")


KILLED = [
    # what both say | under which reference | where it ends | what the ledger has then lent
    (AGAIN, "x", Status.DISBURSED, {OURS: LENT}),
    (RETURNED, "recall 7", Status.PAYOUT_RETURNED, {}),
    (BY_HAND, THEIRS, Status.DISBURSED, {THEIRS: LENT}),
]


async def stuck(disbursing: Disbursing) -> None:
    with pytest.raises(DateOutOfOrder):
        await disburse(disbursing)


async def second_word_killed(world: World, outcome: int, said: str, at: int) -> bool:
    """Kill who takes the second word at an await, and have it said again; return if it died."""

    def word(by: str) -> Callable[[Disbursing], Awaitable[pb.Application]]:
        body = {"application_id": "A-1", "payout_id": ORDER, "request_id": f"say-{by}"}
        body |= {"outcome": outcome, "resolved_by": by, "reference": said}
        request = pb.ResolvePayoutRequest(**body)
        return lambda disbursing: Resolving(disbursing.desk, disbursing).resolve(request)

    await world.begin()
    world.ledger.trouble[OURS] = DateOutOfOrder("the day is closed")
    await world.live(stuck, 0)
    if outcome == BY_HAND:
        world.ledger.loans["L-A-1"].out[THEIRS] = TODAY, LENT
    await world.live(word("officer-1"), 0)
    world.ledger.trouble.clear()
    lived, _ = await world.live(word("officer-2"), at)
    await world.live(resume, 0)
    await world.live(word("officer-2"), 0)
    return not lived


@pytest.mark.parametrize(("outcome", "said", "status", "out"), KILLED)
async def test_killed_while_the_second_word_is_taken(
    tmp_path: Path, outcome: int, said: str, status: Status, out: dict[str, int]
) -> None:
    """Killed at any await, the word counts once when it is said again under its id."""
    at, died = 1, True
    while died:
        folder = tmp_path / f"at-{at}"
        folder.mkdir()
        world, found = World(folder), list[Application]()
        died = await second_word_killed(world, outcome, said, at)
        at += 3

        async def look(disbursing: Disbursing, into: list[Application] = found) -> None:
            into.append(await disbursing.desk.load("A-1"))

        await world.live(look, 0)
        lent = {name: a for name, (_, a) in world.ledger.loans["L-A-1"].out.items()}
        assert (found[0].status, lent, world.bank.moves) == (status, out, 1)
        assert [line.step for line in found[0].trail].count("resolve") == 1

    assert at > 20
