"""Business days by calendar as data: a year without data is an error, never a guess."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from shared.kernel.errors import InvalidArgument

DAY = timedelta(days=1)


class CalendarUnknown(InvalidArgument):
    """No calendar has this name."""


class CalendarYearUnknown(InvalidArgument):
    """The calendar has no holidays for this year yet: due dates cannot be promised."""


class BusinessDayRule(StrEnum):
    """Where a due date goes that is not a business day."""

    NONE = "NONE"
    FOLLOWING = "FOLLOWING"
    MODIFIED_FOLLOWING = "MODIFIED_FOLLOWING"
    PRECEDING = "PRECEDING"


class Year(NamedTuple):
    """One year of a calendar: days off besides weekends, and weekend days that are worked."""

    off: frozenset[date]
    worked: frozenset[date] = frozenset()


class Calendar(NamedTuple):
    """A named version of a calendar; `years` None means that weekends alone are off."""

    name: str
    years: dict[int, Year] | None

    def is_business_day(self, day: date) -> bool:
        """
        Say whether a day is worked.

        Raises:
            CalendarYearUnknown: there is no data for its year.
        """
        if self.years is None:
            return day.weekday() < 5
        if day.year not in self.years:
            raise CalendarYearUnknown(
                f"calendar {self.name} has no data for {day.year}",
                field="terms.calendar",
                expected=f"due dates in {min(self.years)} to {max(self.years)}",
            )
        year = self.years[day.year]
        return day in year.worked or (day.weekday() < 5 and day not in year.off)

    def adjust(self, day: date, rule: BusinessDayRule) -> date:
        """Return the business day that a due date moves to under a rule."""
        if rule is BusinessDayRule.NONE or self.is_business_day(day):
            return day
        step = -DAY if rule is BusinessDayRule.PRECEDING else DAY
        moved = day + step
        while not self.is_business_day(moved):
            moved += step
        if rule is BusinessDayRule.MODIFIED_FOLLOWING and moved.month != day.month:
            return self.adjust(day, BusinessDayRule.PRECEDING)
        return moved


def _days(*texts: str) -> frozenset[date]:
    """Read days and ranges such as "2025-01-28/2025-02-04"."""
    found: set[date] = set()
    for text in texts:
        first, _, last = text.partition("/")
        day, end = date.fromisoformat(first), date.fromisoformat(last or first)
        while day <= end:
            found.add(day)
            day += DAY
    return frozenset(found)


def _target(year: int) -> Year:
    """Return a year of TARGET: 1 January, Good Friday, Easter Monday, 1 May, 25 and 26 December."""
    easter = easter_sunday(year)
    fixed = _days(f"{year}-01-01", f"{year}-05-01", f"{year}-12-25/{year}-12-26")
    return Year(fixed | {easter - 2 * DAY, easter + DAY})


def easter_sunday(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar (Meeus, Jones, Butcher)."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    m = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    n = h + m - 7 * ((a + 11 * h + 22 * m) // 451) + 114
    return date(year, n // 31, n % 31 + 1)


WEEKENDS = Calendar("weekends/1", None)
TARGET = Calendar("target/1", {year: _target(year) for year in range(2000, 2100)})
CHINA = Calendar(
    "cn/2025.1",
    {
        2025: Year(
            _days(
                "2025-01-01",
                "2025-01-28/2025-02-04",
                "2025-04-04/2025-04-06",
                "2025-05-01/2025-05-05",
                "2025-05-31/2025-06-02",
                "2025-10-01/2025-10-08",
            ),
            _days("2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28", "2025-10-11"),
        ),
    },
)
"""The State Council's arrangement of 2025; each later year is a new row and a new version."""

CALENDARS = {calendar.name: calendar for calendar in (WEEKENDS, TARGET, CHINA)}


def calendar_named(name: str) -> Calendar:
    """
    Return a calendar by its name and version.

    Raises:
        CalendarUnknown: there is none.
    """
    if name not in CALENDARS:
        raise CalendarUnknown(
            f"{name[:40]!r} is not a calendar",
            field="terms.calendar",
            expected=", ".join(sorted(CALENDARS)),
        )
    return CALENDARS[name]
