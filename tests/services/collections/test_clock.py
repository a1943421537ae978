"""One clock: by the wall or by the book, the same questions have answers that agree."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.collections.application import trail
from services.collections.application.clock import Clock, DateInTheFuture
from tests.services.collections.house import a_house, event, hear
from tests.services.collections.test_sending import Way, by, only

SHANGHAI, HONOLULU = ZoneInfo("Asia/Shanghai"), ZoneInfo("Pacific/Honolulu")
DAY = date(2026, 2, 10)
NOW = datetime(2026, 2, 10, 3, 0, tzinfo=UTC)
BOOK = [
    # planned at                                       | has come
    (datetime(2026, 2, 10, 23, 59, tzinfo=SHANGHAI), True),
    (datetime(2026, 2, 11, 0, 0, tzinfo=SHANGHAI), False),
    (datetime(2026, 2, 10, 23, 59, tzinfo=HONOLULU), True),
    (datetime(2026, 2, 11, 0, 0, tzinfo=HONOLULU), False),
]


@pytest.mark.parametrize(("planned_at", "come"), BOOK)
def test_the_books_day_is_whole_where_it_was_planned(planned_at: datetime, come: bool) -> None:
    """Every hour of the business date has come in the debtor's own zone, and none of the next."""
    clock = Clock()
    clock.see(DAY)

    assert clock.has_come(planned_at) is come
    assert clock.moment(planned_at) == planned_at
    assert planned_at <= clock.until() or not come


@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_the_walls_instant_is_the_same_everywhere(seconds: int) -> None:
    """What is planned for now has come, a second later it has not."""
    clock = Clock(lambda: NOW)
    planned_at = (NOW + timedelta(seconds=seconds)).astimezone(HONOLULU)

    assert clock.has_come(planned_at) is (seconds <= 0)
    assert clock.moment(planned_at) == NOW
    assert clock.until() == NOW


def test_the_book_never_goes_back() -> None:
    """An older event heard later does not undo a day."""
    clock = Clock()
    clock.see(DAY)
    clock.see(DAY - timedelta(days=9))

    assert clock.today() == DAY


def test_what_happened_has_a_date_that_has_come() -> None:
    """Today and, where the day begins first, tomorrow; not the day after, but in a book."""
    clock, after = Clock(lambda: NOW), DAY + timedelta(days=2)

    assert clock.has_been(DAY + timedelta(days=1), "on") == DAY + timedelta(days=1)
    assert Clock(on=DAY).has_been(after, "on") == after
    with pytest.raises(DateInTheFuture):
        clock.has_been(after, "on")


@pytest.mark.parametrize(("wall", "state"), [(False, "SENT"), (True, "CANCELLED")])
async def test_the_speed_of_a_carrier_does_not_decide_what_a_book_sends(
    tmp_path: Path, wall: bool, state: str
) -> None:
    """Paid on the day of the reminder, after the permit: by the book it left at its hour."""
    async with a_house(tmp_path) as house:
        sending = house.desk.sending
        if wall:
            sending.clock.now = lambda: NOW
        by(house, Way())
        sending.carriers[0].rests_until = 1e12
        await hear(house, event(1, "GRACE_ENTERED", "2026-02-10", 1))
        assert (await only(house)).state == "READY"

        await hear(house, event(2, "CURED", "2026-02-10", 0))
        sending.carriers[0].rests_until = 0.0
        await sending.send_due()
        await sending.send_due()

        assert (await only(house)).state == state


async def test_a_decision_has_its_own_instant(tmp_path: Path) -> None:
    """Two of one day stand in their order, each with the date for which it was made."""
    moments = iter([NOW, NOW + timedelta(hours=5)])
    async with a_house(tmp_path) as house:
        await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 75))
        clock = house.desk.sending.clock
        for note, may_go_on in (("in hospital", False), ("at work again", True)):
            moment = next(moments)
            clock.now = lambda at=moment: at
            async with house.desk.records.work() as work:
                said = (work, "L-1", date(2026, 2, 9), "carer", note)
                await house.escalating.check(*said, may_go_on=may_go_on)
        async with house.desk.records.work() as work:
            lines = await trail.read(work, "B-1", "L-1")

    assert [(one.at, one.on, one.said) for one in lines if one.what == "PERSON_CHECKED"] == [
        (NOW, date(2026, 2, 9), "must wait: in hospital"),
        (NOW + timedelta(hours=5), date(2026, 2, 9), "may go on: at work again"),
    ]


def test_a_books_day_has_no_hours() -> None:
    """By the book a decision stands at noon of its date."""
    assert Clock().stamp(DAY) == (datetime(2026, 2, 10, 12, tzinfo=UTC), DAY)
