"""Two clocks: the wall's, and the book's business date, by which a sample book lives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

PERMIT_HOLDS = timedelta(minutes=10)


@dataclass(slots=True)
class WallClock:
    """Now is now."""

    def see(self, on: date) -> None:
        """Leave the business date out of account."""

    def has_come(self, planned_at: datetime) -> bool:
        """Say whether it is time."""
        return planned_at <= datetime.now(UTC)

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

    def see(self, on: date) -> None:
        """Move on; never back."""
        self.on = max(self.on, on)

    def has_come(self, planned_at: datetime) -> bool:
        """Say whether the book has reached the day."""
        return planned_at.date() <= self.on

    def moment(self, planned_at: datetime) -> datetime:
        """Return the planned instant."""
        return planned_at

    def is_fresh(self, permitted_at: datetime) -> bool:
        """Let every permit hold: the book stands still while a message is sent."""
        return True

    def today(self) -> date:
        """Return the business date."""
        return self.on
