"""One clock: by the wall, or by the book's business date, by which a sample book lives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import NamedTuple

from shared.kernel.errors import InvalidArgument

RECORDED_WITHIN, CLOCKS_DIFFER = timedelta(minutes=15), timedelta(minutes=2)
PERMIT_HOLDS = timedelta(minutes=10)
LAST_ZONE = timezone(timedelta(hours=-14))
DAYS_AHEAD_MOST = timedelta(days=1)
"""Where the day begins first it is a day later than here."""


class DateInTheFuture(InvalidArgument):
    """What has happened has a date that has come."""


class DateTooOld(InvalidArgument):
    """It happened too long ago to be recorded now."""


class Stamp(NamedTuple):
    """When something was decided, and the date for which."""

    at: datetime
    on: date


@dataclass(slots=True)
class Clock:
    """
    Says which planned instants have come, and when an attempt of now takes place.

    By the wall's `now` if there is one. Otherwise the business date `on` decides: a day of it has
    no hours of its own, so what is planned for it happens at its planned hour.
    """

    now: Callable[[], datetime] | None = None
    on: date = date.min

    def see(self, on: date) -> None:
        """Learn how far the book has come; never back."""
        self.on = max(self.on, on)

    def latest(self, zone: tzinfo | None) -> datetime:
        """Return the last instant that has come, in a zone."""
        if self.now is not None:
            return self.now().astimezone(zone)
        return datetime.combine(self.on, time.max, tzinfo=zone)

    def moment(self, planned_at: datetime) -> datetime:
        """Return the instant at which something planned takes place if done now."""
        return planned_at if self.now is None else self.latest(planned_at.tzinfo)

    def has_come(self, planned_at: datetime) -> bool:
        """Say whether it is time."""
        return planned_at <= self.latest(planned_at.tzinfo)

    def until(self) -> datetime:
        """Return an instant behind which nothing has come, in whatever zone it was planned."""
        return self.latest(LAST_ZONE)

    def known_on(self, planned_at: datetime) -> date:
        """
        Return the last day whose facts count when something planned takes place now.

        By the wall every fact does, also of a business date that is ahead of it.
        """
        return planned_at.date() if self.now is None else date.max

    @property
    def stands_still(self) -> bool:
        """Say whether no time goes by between a permit and the send: of a book's day."""
        return self.now is None

    def is_fresh(self, permitted_at: datetime) -> bool:
        """Say whether a permit is younger than ten minutes."""
        return self.moment(permitted_at) - permitted_at < PERMIT_HOLDS

    def is_now(self, at: datetime) -> bool:
        """Let the last quarter of an hour pass, and two minutes of clock error."""
        return -CLOCKS_DIFFER <= self.moment(at) - at <= RECORDED_WITHIN

    def stamp(self, on: date) -> Stamp:
        """Return when what is decided now for a date is: by the wall now, of a book at noon."""
        at = self.now() if self.now is not None else datetime.combine(on, time(12), tzinfo=UTC)
        return Stamp(at, on)

    def today(self) -> date:
        """Return the date of now."""
        return self.latest(UTC).date()

    def lately(self, day: date, field: str, days_back: int) -> date:
        """
        Return a day of something that happened not long ago.

        Raises:
            DateInTheFuture, DateTooOld
        """
        today = self.today()
        if today > date.min and day < today - timedelta(days=days_back):
            first = today - timedelta(days=days_back)
            raise DateTooOld(f"{day}", field=field, expected=f"from {first}")
        return self.has_been(day, field)

    def has_been(self, day: date, field: str) -> date:
        """
        Return a day of something that happened.

        Of a book any day will do: its date is heard a moment after it has come.

        Raises:
            DateInTheFuture: it has not come anywhere.
        """
        if self.now is not None and day > self.today() + DAYS_AHEAD_MOST:
            raise DateInTheFuture(f"{day}", field=field, expected=f"until {self.today()}")
        return day
