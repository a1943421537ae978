"""Days past due stand still while a disaster shields: which nights are ordered and ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lending.collections.v1 import contact_service_pb2 as pb

from services.collections.compose import House
from services.collections.domain.disaster import Disaster
from services.collections.domain.pauses import Pause, ends_on, missing, wanted
from shared.kernel.errors import Refused
from tests.services.collections.house import LedgerByHand, a_house, event, hear
from tests.services.collections.test_relief import declare, end


def disaster(name: str, first: int, last: int, region: str = "CN-51") -> Disaster:
    return Disaster(
        disaster_id=name,
        region=region,
        from_on=date(2026, 2, first),
        until_on=date(2026, 2, last),
        note=name,
        declared_by="lead-1",
        pauses=True,
    )


class PauseInvalid(Refused):
    """As the ledger's own."""


class PauseNotRunning(Refused):
    """As the ledger's own."""


@dataclass
class Pausing(LedgerByHand):
    """A ledger by hand that keeps pauses as the real one does: none may share a night."""

    pauses: list[list[date]] = field(default_factory=list)

    async def PauseDelinquency(self, request: Any) -> Any:
        first, last = date.fromisoformat(request.from_on), date.fromisoformat(request.until_on)
        for begun, ended in self.pauses:
            if (begun < last and first < ended) or begun == first:
                raise PauseInvalid("it overlaps")
        self.pauses.append([first, last])
        return request

    async def ResumeDelinquency(self, request: Any) -> Any:
        on = date.fromisoformat(request.on)
        running = [one for one in self.pauses if one[0] <= on <= one[1]]
        if not running:
            raise PauseNotRunning("none is running")
        for one in running:
            one[1] = on
        return request

    @property
    def nights(self) -> set[int]:
        """The days of February whose night is paused."""
        return {
            day for first, last in self.pauses for day in range(1, 29)
            if first <= date(2026, 2, day) < last
        }  # fmt: skip


async def settle_in(house: House, on: str = "2026-02-03", region: str = "CN-51") -> None:
    async with house.desk.records.work() as work:
        known = pb.RegisterDebtorRequest(borrower_ref="B-1", region=region)
        await house.debtors.register(work, known)
    await hear(house, event(1, "GRACE_ENTERED", on, 1))


async def look(house: House) -> None:
    """Look three times, as every two seconds: what the ledger answered is followed."""
    for _ in range(3):
        await house.watching.look()


async def test_who_becomes_late_in_a_flood_does_not_age(tmp_path: Path) -> None:
    """Late on its second day: the pause is ordered as soon as that is heard."""
    ledger = Pausing()
    async with a_house(tmp_path, ledger) as house:
        async with house.desk.records.work() as work:
            known = pb.RegisterDebtorRequest(borrower_ref="B-1", region="CN-51-01")
            await house.debtors.register(work, known)
        await declare(house, disaster("flood-1", 5, 20))
        await hear(house, event(1, "GRACE_ENTERED", "2026-02-06", 1))
        await look(house)

    assert ledger.nights == set(range(5, 20))


async def test_who_moves_into_the_flood_does_not_age_either(tmp_path: Path) -> None:
    """Registered there after the declaration; who moves out again keeps what was paused."""
    ledger = Pausing()
    async with a_house(tmp_path, ledger) as house:
        await settle_in(house, region="CN-11")
        await declare(house, disaster("flood-1", 5, 20))
        for region in ("CN-51", "CN-11"):
            async with house.desk.records.work() as work:
                moved = pb.RegisterDebtorRequest(borrower_ref="B-1", region=region)
                await house.debtors.register(work, moved)
            await look(house)
        assert ledger.nights == set(range(5, 20))
        await end(house, date(2026, 2, 12))
        await look(house)

    assert ledger.nights == set(range(5, 12))


OVERLAPS = [
    # first, second (days of February) | which ends, after which day | nights that stay paused
    ((5, 20), (10, 25), None, (5, 25)),
    ((10, 25), (5, 20), None, (5, 25)),
    ((5, 25), (10, 20), None, (5, 25)),
    ((10, 20), (5, 25), None, (5, 25)),
    ((5, 20), (10, 25), ("one", 12), (5, 25)),
    ((5, 20), (10, 25), ("one", 4), (10, 25)),
    ((5, 20), (10, 25), ("two", 12), (5, 20)),
    ((5, 20), (10, 25), ("two", 9), (5, 20)),
    ((10, 25), (5, 20), ("two", 4), (10, 25)),
    ((5, 25), (10, 20), ("one", 7), (5, 7, 10, 20)),
    ((5, 12), (15, 20), ("one", 4), (15, 20)),
]


@pytest.mark.parametrize(("one", "two", "over", "stays"), OVERLAPS)
async def test_overlapping_disasters(
    tmp_path: Path,
    one: tuple[int, int],
    two: tuple[int, int],
    over: tuple[str, int] | None,
    stays: tuple[int, ...],
) -> None:
    """A night is paused once, whoever wants it, and runs on only when nobody does any more."""
    ledger = Pausing()
    async with a_house(tmp_path, ledger) as house:
        await settle_in(house)
        await declare(house, disaster("one", *one))
        await look(house)
        await declare(house, disaster("two", *two))
        await look(house)
        if over is not None:
            await end(house, date(2026, 2, over[1]), over[0])
            await look(house)

    spans = zip(stays[::2], stays[1::2], strict=True)
    assert ledger.nights == {day for a, b in spans for day in range(a, b)}


async def test_what_the_ledger_refuses_is_on_record_and_not_asked_for_ever(tmp_path: Path) -> None:
    """Somebody paused by hand: asked again when something changes, and only then."""
    ledger = Pausing(pauses=[[date(2026, 2, 1), date(2026, 2, 28)]])
    async with a_house(tmp_path, ledger) as house:
        await settle_in(house)
        await declare(house, disaster("one", 5, 20))
        await look(house)
        seen = await house.relief.progress("one")
        assert dict(seen.pauses) == {"pause refused": 1}
        await end(house, date(2026, 2, 12), "one")
        await look(house)

        seen = await house.relief.progress("one")
        assert dict(seen.pauses) == {"pause refused": 2}


DAYS = st.integers(1, 27)
SPANS = st.lists(st.tuples(DAYS, DAYS).map(sorted), max_size=4)


@settings(max_examples=200, deadline=None)
@given(SPANS, SPANS)
def test_paused_nights_are_those_that_are_wanted(
    told: list[list[int]], now: list[list[int]]
) -> None:
    """Whatever was ordered before: ended where nobody wants it, ordered where somebody does."""
    before: list[Pause] = []
    for first, last in told:
        nights = missing(before, wanted([disaster("d", first, last)]), date.min)
        before += [
            Pause(number=n, disaster_id="d", from_on=a, until_on=b)
            for n, (a, b) in enumerate(nights, len(before))
        ]
    spans = wanted([disaster("d", first, last) for first, last in now])
    kept = [Pause(number=p.number, disaster_id="d", from_on=p.from_on, until_on=ends_on(p, spans))
            for p in before]  # fmt: skip
    added = missing(kept, spans, date.min)

    nights = [
        day
        for first, last in [*((p.from_on, p.until_on) for p in kept), *added]
        for day in range(first.toordinal(), last.toordinal())
    ]
    assert len(nights) == len(set(nights))
    assert {date.fromordinal(day).day for day in nights} == {
        day for first, last in now for day in range(first, last)
    }
