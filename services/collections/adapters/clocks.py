"""Two clocks: the wall's, and the book's business date, by which a sample book lives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

RECORDED_WITHIN, CLOCKS_DIFFER = timedelta(minutes=15), timedelta(minutes=2)
PERMIT_HOLDS = timedelta(minutes=10)


@dataclass(slots=True)
class WallClock:
    """Now is now."""

    stands_still: bool = False

    def see(self, on: date) -> None:
        """Leave the business date out of account."""

    def has_come(self, planned_at: datetime) -> bool:
        """Say whether it is time."""
        return planned_at <= datetime.now(UTC)

    def until(self) -> datetime:
        """Return now."""
        return datetime.now(UTC)

    def is_now(self, at: datetime) -> bool:
        """Let the last quarter of an hour pass, and two minutes of clock error."""
        age = datetime.now(UTC) - at
        return -CLOCKS_DIFFER <= age <= RECORDED_WITHIN

    def known_on(self, planned_at: datetime) -> date:
        """Let every fact count: what is known is known now."""
        return date.max

    def moment(self, planned_at: datetime) -> datetime:
        """Return now."""
        return datetime.now(UTC)

    def is_fresh(self, permitted_at: datetime) -> bool:
        """Say whether a permit is younger than ten minutes."""
        return datetime.now(UTC) - permitted_at < PERMIT_HOLDS

    def today(self) -> date:
        """Return the date of now, UTC."""
        return datetime.now(UTC).date()


@dataclass(slots=True)
class BusinessClock:
    """The business date decides; what is planned for a day happens at its planned hour."""

    on: date = date.min
    stands_still: bool = True

    def see(self, on: date) -> None:
        """Move on; never back."""
        self.on = max(self.on, on)

    def has_come(self, planned_at: datetime) -> bool:
        """Say whether the book has reached the day."""
        return planned_at.date() <= self.on

    def until(self) -> datetime:
        """Return the end of the business date in the last zone to reach it."""
        return datetime.combine(self.on, time.max, tzinfo=UTC) + timedelta(hours=14)

    def is_now(self, at: datetime) -> bool:
        """Let every instant pass: a sample book's days have no hours of their own."""
        return True

    def known_on(self, planned_at: datetime) -> date:
        """Return the planned day: the book may be months ahead of what is sent."""
        return planned_at.date()

    def moment(self, planned_at: datetime) -> datetime:
        """Return the planned instant."""
        return planned_at

    def is_fresh(self, permitted_at: datetime) -> bool:
        """Let every permit hold: the book stands still while a message is sent."""
        return True

    def today(self) -> date:
        """Return the business date."""
        return self.on
