"""How far behind a subscriber is: in events, and in business days of the book."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import NamedTuple

from shared.kernel.calendars import Calendar, CalendarYearUnknown
from shared.runtime.bus import Bus
from shared.subscriber.event import recorded_at

DAY = timedelta(days=1)


class Lag(NamedTuple):
    """
    How far behind.

    `events` of the stream are not read yet. `business_days` lie between the day on which the ledger
    recorded what was read last and that of the newest event: 0 on the same day, 1 on the next one
    that is worked; None where nobody can say.
    """

    events: int = 0
    business_days: int | None = 0


def business_days_between(first: date, last: date, calendar: Calendar) -> int:
    """
    Count the business days after one day, up to and with another; 0 when it is not later.

    Raises:
        CalendarYearUnknown: the calendar has no data for one of them.
    """
    days = (first + n * DAY for n in range(1, (last - first).days + 1))
    return sum(calendar.is_business_day(day) for day in days)


def recorded_in(headers: Mapping[str, str], body: bytes) -> datetime | None:
    """Return when the ledger learned of a message's event; None where it does not say."""
    try:
        return datetime.fromisoformat(headers["ce-recordedtime"])
    except (KeyError, ValueError):
        return recorded_at(body)


async def lag_of(
    bus: Bus, stream: str, subject: str, events: int, read_at: datetime | None, calendar: Calendar
) -> Lag:
    """
    Compare what was read last with the newest event of a stream.

    Args:
        events: How many are not read yet.
        read_at: When the ledger recorded what was read last; None when nothing was read.
    Raises:
        BusDown: NATS does not answer.
    """
    if not events:
        return Lag()
    newest = await bus.last_message(stream, f"{subject}.>")
    told_at = recorded_in(newest.headers or {}, newest.data or b"") if newest else None
    if told_at is None or read_at is None:
        return Lag(events, None)
    try:
        days = business_days_between(read_at.date(), told_at.date(), calendar)
    except CalendarYearUnknown:
        return Lag(events, None)
    return Lag(events, days)
