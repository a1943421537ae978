"""How far behind a subscriber is, and hearing the past again, on a real NATS."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime

import pytest

from shared.kernel.calendars import CHINA, TARGET, WEEKENDS, Calendar
from shared.runtime.records import Work
from shared.subscriber.event import Event
from shared.subscriber.lag import Lag, business_days_between, recorded_in
from shared.subscriber.replay import HistoryBroken, Past, Replay
from tests.conformance.messages import Sent, chained, event, publish
from tests.conformance.test_beginning import Desk, desk

__all__ = ["desk"]
FRIDAY, MONDAY, THURSDAY = "2026-02-06", "2026-02-09", "2026-02-12"


@pytest.mark.parametrize(
    ("first", "last", "calendar", "days"),
    [
        # from      | until       | calendar | business days after the first
        ("2026-02-06", "2026-02-06", WEEKENDS, 0),
        ("2026-02-06", "2026-02-08", WEEKENDS, 0),
        ("2026-02-06", "2026-02-09", WEEKENDS, 1),
        ("2026-02-06", "2026-02-13", WEEKENDS, 5),
        ("2026-02-13", "2026-02-06", WEEKENDS, 0),
        ("2026-04-02", "2026-04-07", TARGET, 1),
        ("2025-09-30", "2025-10-10", CHINA, 2),
    ],
)
def test_business_days(first: str, last: str, calendar: Calendar, days: int) -> None:
    """Weekends and the calendar's holidays do not count, and worked weekend days do."""
    found = business_days_between(date.fromisoformat(first), date.fromisoformat(last), calendar)

    assert found == days


async def test_a_subscriber_says_how_far_it_is_behind(desk: Desk) -> None:
    """It stands at a Friday's event while the book goes on: five events, four business days."""
    lane = chained(event("L-1", "CURED", on) for on in (FRIDAY, *[MONDAY] * 4, THURSDAY))
    await publish(desk.bus, lane[:1])
    async with desk.following() as made:
        await desk.until("L-1/1")
        while made.read_at is None:
            await asyncio.sleep(0.05)
        near = await made.lag()
    await publish(desk.bus, lane[1:])
    made.pending = len(lane) - 1
    far = await made.lag()
    made.calendar = CHINA
    unknown = await made.lag()

    assert near == Lag(0, 0)
    assert far == Lag(5, 4)
    assert unknown == Lag(5, None)
    assert made.read_at == recorded_in(lane[0].headers, lane[0].body)


def lanes_of_two() -> list[Sent]:
    """Return events of two loans among each other, a day apart."""
    days = [f"2026-02-{day:02}" for day in range(1, 9)]
    return chained(event(f"L-{k % 2}", "CURED", day) for k, day in enumerate(days))


async def replayed(desk: Desk, wanted: Past) -> list[str]:
    """Return the ids that a replay tells; each is marked as one."""
    heard: list[str] = []

    async def hear(one: Event, _: Work) -> None:
        assert one.replay
        heard.append(one.id)

    told = await Replay(desk.bus, desk.records.work, hear).run(wanted)
    assert told == len(heard)
    return heard


async def test_the_past_of_a_loan_between_two_instants(desk: Desk) -> None:
    """All, one loan, since a recorded time, until one, from a place; a copy is told once."""
    messages = lanes_of_two()
    await publish(desk.bus, [*messages, messages[0]])
    at = datetime(2026, 2, 5, 9, tzinfo=UTC)

    assert len(await replayed(desk, Past())) == 8
    assert await replayed(desk, Past("L-1")) == [f"L-1/{n}" for n in (1, 2, 3, 4)]
    assert await replayed(desk, Past("L-0", since=at)) == ["L-0/3", "L-0/4"]
    assert await replayed(desk, Past("L-0", until=at)) == ["L-0/1", "L-0/2", "L-0/3"]
    assert await replayed(desk, Past("L-1", start=5)) == ["L-1/3", "L-1/4"]
    assert await replayed(desk, Past("L-9")) == []


async def test_what_it_tells_is_committed_and_its_subscriber_stays_where_it_was(desk: Desk) -> None:
    """A replay beside the subscriber moves none of its places."""
    messages = lanes_of_two()
    await publish(desk.bus, messages)
    async with desk.following():
        await desk.until(*(one.headers["ce-id"] for one in messages))
    await replayed(desk, Past("L-1"))
    async with desk.following():
        await asyncio.sleep(1)

    assert len(desk.heard) == len(messages)


async def test_a_past_with_a_hole_is_refused(desk: Desk) -> None:
    """What lacks an event is no history."""
    messages = lanes_of_two()
    await publish(desk.bus, [*messages[:2], *messages[4:]])

    with pytest.raises(HistoryBroken, match="L-0/3: GAP"):
        await replayed(desk, Past())
