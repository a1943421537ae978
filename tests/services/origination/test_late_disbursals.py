"""A disbursal that reaches the ledger late, while people say what became of the money."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application.disbursing import Disbursing
from services.origination.application.resolving import Resolving
from services.origination.domain.application import Application
from services.origination.domain.state_machine import Status
from shared.kernel.errors import LendingError, Unavailable
from tests.services.origination.counterparts import TODAY, DateOutOfOrder, FakeLedger
from tests.services.origination.killing import LENT, PARTS, World, draw, resume
from tests.services.origination.mortal import Killed
from tests.services.origination.test_resolving import ORDER
from tests.services.origination.test_resolving_disbursals import (
    AGAIN,
    BY_HAND,
    OURS,
    RETURNED,
    THEIRS,
    stuck,
)

KILLS_STEP = int(os.environ.get("DISBURSAL_STEP", "9"))


@dataclass
class Late:
    """A ledger that hears of one disbursal only at a later call, or when told: it is on its way."""

    arrives_at: int
    inner: FakeLedger = field(default_factory=FakeLedger)
    armed: bool = False
    on_its_way: Any = None
    calls: int = 0
    came_void: bool = False

    def __getattr__(self, name: str) -> Any:
        there = getattr(self.inner, name)
        if not name[0].isupper():
            return there

        async def call(request: Any) -> Any:
            if self.armed and name == "DisburseLoan" and not request.validate_only:
                self.armed, self.on_its_way = False, request
                raise Unavailable("no answer in time")
            if self.on_its_way is not None:
                self.calls += 1
            if self.calls == self.arrives_at:
                await self.arrive()
            return await there(request)

        return call

    async def arrive(self) -> None:
        """Let the disbursal arrive, whatever the ledger says to it."""
        given, self.on_its_way = self.on_its_way, None
        if given is not None:
            self.came_void = given.request_id in self.inner.bodies
            try:
                with suppress(LendingError):
                    await self.inner.DisburseLoan(given)
            except Killed:
                # Who dies meanwhile is not who sent it: it is on its way still.
                if given.request_id not in self.inner.bodies:
                    self.on_its_way = given
                raise


def word(by: str, outcome: int, said: str) -> Callable[[Disbursing], Awaitable[None]]:
    """Have one person say it; the ledger may have overruled it by now."""
    body = {"application_id": "A-1", "payout_id": ORDER, "request_id": f"say-{by}"}
    body |= {"outcome": outcome, "resolved_by": by, "reference": said}

    async def say(disbursing: Disbursing) -> None:
        with suppress(LendingError):
            await Resolving(disbursing.desk, disbursing).resolve(pb.ResolvePayoutRequest(**body))

    return say


@dataclass
class End:
    """
    How it ended: the application, and what the ledger has lent.

    `died`: who took the second word was killed; `came_void`: the late call's id was used up.
    """

    found: Application
    out: dict[str, tuple[date, int]]
    died: bool
    came_void: bool


async def life(
    world: World, late: Late, outcome: int, said: str, kill_at: int, by_hand: int = 0
) -> End:
    """Two persons say what became of an order whose disbursal is on its way to the ledger."""
    await world.begin()
    late.trouble[OURS] = DateOutOfOrder("the day is closed")
    await world.live(stuck_in_parts if len(world.parts) > 1 else stuck, 0)
    late.trouble.clear()
    late.armed = True
    await world.live(resume, 0)
    late.inner.on += timedelta(days=2)
    if by_hand:
        late.loans["L-A-1"].out[THEIRS] = TODAY, by_hand
    await world.live(word("officer-1", outcome, said), 0)
    lived, _ = await world.live(word("officer-2", outcome, said), kill_at)
    for _ in range(2):
        await world.live(resume, 0)
        await world.live(word("officer-2", outcome, said), 0)
    await late.arrive()
    await world.live(resume, 0)
    found = list[Application]()

    async def look(disbursing: Disbursing) -> None:
        found.append(await disbursing.desk.load("A-1"))

    await world.live(look, 0)
    return End(found[0], late.loans["L-A-1"].out, not lived, late.came_void)


async def stuck_in_parts(disbursing: Disbursing) -> None:
    with pytest.raises(DateOutOfOrder):
        await draw(disbursing)


async def every_end(
    folder: Path, outcome: int, said: str, parts: tuple[int, ...], by_hand: int = 0
) -> list[End]:
    """Live it with the disbursal arriving at each call and the second word killed at awaits."""
    ends = list[End]()
    for arrives_at in count(1):
        kill_at, died = 1, True
        while died:
            place = folder / f"{arrives_at}-{kill_at}"
            place.mkdir()
            late = Late(arrives_at)
            world = World(place, ledger=late, parts=parts)  # type: ignore[arg-type]
            ends.append(await life(world, late, outcome, said, kill_at, by_hand))
            assert world.bank.moves == 1
            kill_at, died = kill_at + KILLS_STEP, ends[-1].died
        if late.calls < arrives_at:
            return ends
    raise AssertionError("it arrives at no call some time")


async def test_money_taken_back_is_never_lent_as_well(tmp_path: Path) -> None:
    """Wherever it arrives: the loan is paid out and says so, or the money is back and no loan."""
    ends = await every_end(tmp_path, RETURNED, "recall 7", (LENT,))

    said = {(end.found.status, tuple(end.out)) for end in ends}
    assert said == {(Status.PAYOUT_RETURNED, ()), (Status.DISBURSED, (OURS,))}
    assert all(end.found.proposal is None and end.found.hangs_at == "" for end in ends)


async def test_asked_again_for_another_day_it_counts_once(tmp_path: Path) -> None:
    """The call of the day before may be the one that is booked: the application says its day."""
    ends = await every_end(tmp_path, AGAIN, "that day is closed", (LENT,))

    assert {end.found.status for end in ends} == {Status.DISBURSED}
    days = set()
    for end in ends:
        [(name, (on, amount))] = end.out.items()
        assert (name, amount) == (OURS, LENT)
        assert end.found.payouts[-1].value_on == on
        days.add(on)
    assert days == {TODAY, TODAY + timedelta(days=2)}


async def test_what_was_booked_by_hand_is_not_booked_again(tmp_path: Path) -> None:
    """Of a loan in parts the ledger would take it twice: after both words it does not."""
    ends = await every_end(tmp_path, BY_HAND, THEIRS, PARTS, by_hand=PARTS[0])

    assert {end.found.status for end in ends} == {Status.DISBURSED}
    once = [end for end in ends if list(end.out) == [THEIRS]]
    twice = [end for end in ends if sorted(end.out) == sorted([THEIRS, OURS])]
    assert once and len(once) + len(twice) == len(ends)
    assert all(end.found.payouts[-1].disbursal_by_hand == THEIRS for end in once)
    assert all(end.found.payouts[-1].disbursal_by_hand == "" for end in twice)
    # It came before both words counted: the ledger's own book shows both, and its own id counts.
    assert {end.came_void for end in twice} == {False}
    assert {end.came_void for end in once} == {True}
