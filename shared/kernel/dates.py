"""Due dates are dates: months end where the month ends, days count as the contract says."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction

from shared.kernel.errors import InvalidArgument

_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class DateNotValid(InvalidArgument):
    """The text is not a calendar date such as 2026-03-05."""


class DayCount(StrEnum):
    """How days become a fraction of a year."""

    THIRTY_360 = "THIRTY_360"
    THIRTY_E_360 = "THIRTY_E_360"
    THIRTY_E_360_ISDA = "THIRTY_E_360_ISDA"
    PERIOD_360 = "PERIOD_360"
    ACT_360 = "ACT_360"
    ACT_364 = "ACT_364"
    ACT_365_FIXED = "ACT_365_FIXED"
    ACT_ACT_ISDA = "ACT_ACT_ISDA"
    ACT_ACT_NIGHT = "ACT_ACT_NIGHT"


def parse_date(text: str, *, field: str) -> date:
    """
    Read an ISO date between 1900 and 2199.

    Raises:
        DateNotValid: anything else, such as "2026-2-3", "2026-02-30" or "".
    """
    try:
        if not text.isascii() or not _ISO_DATE.fullmatch(text):
            raise ValueError(text)
        day = date.fromisoformat(text)
    except ValueError:
        raise DateNotValid(
            f"{text[:40]!r} is not a date", field=field, expected="such as 2026-03-05"
        ) from None
    if not 1900 <= day.year <= 2199:
        raise DateNotValid(f"{text} is out of range", field=field, expected="1900 to 2199")
    return day


def add_months(anchor: date, months: int) -> date:
    """Return the same day `months` later, clamped to the month: 31 January + 1 is 28 February."""
    month = anchor.month - 1 + months
    year, month = anchor.year + month // 12, month % 12 + 1
    return date(year, month, min(anchor.day, calendar.monthrange(year, month)[1]))


def month_end(day: date) -> date:
    """Return the last day of the month of `day`."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def due_date(anchor: date, months: int, due_day: int, rolls: bool = False) -> date:
    """
    Return the due date `months` after the anchor's month, on `due_day`; 31 ends a month.

    In a month without such a day it is the last one or, where it `rolls`, the first of the next:
    then an anchor on the first stands for the month before it.
    """
    first = anchor.replace(day=1)
    if rolls and anchor.day == 1 and due_day > 28:
        first = add_months(first, -1)
    there = add_months(first, months)
    day = due_day or anchor.day
    if rolls and day > month_end(there).day:
        return add_months(there, 1)
    return there.replace(day=min(day, month_end(there).day))


def days_thirty_360(start: date, end: date) -> int:
    """
    Count days as if every month had thirty.

    Source:
        30/360 Bond Basis, ISDA 2006 Definitions, 4.16(f).
    """
    first = min(start.day, 30)
    last = 30 if end.day == 31 and first == 30 else end.day
    return _thirty(start, end, first, last)


def days_thirty_e_360(start: date, end: date) -> int:
    """
    Count days as if every month had thirty, the 31st being the 30th.

    Source:
        30E/360 (Eurobond basis), ISDA 2006 Definitions, 4.16(g).
    """
    return _thirty(start, end, min(start.day, 30), min(end.day, 30))


def days_thirty_e_360_isda(start: date, end: date, termination: date | None = None) -> int:
    """
    Count days as if every month had thirty, the last day of February being a 30th too.

    Args:
        start: First day.
        end: Last day, not earned.
        termination: The contract's last date; its February is counted as it is.
    Source:
        30E/360 (ISDA), ISDA 2006 Definitions, 4.16(h).
    """
    first = 30 if start == month_end(start) else start.day
    last = 30 if end == month_end(end) and not (end.month == 2 and end == termination) else end.day
    return _thirty(start, end, min(first, 30), min(last, 30))


def _thirty(start: date, end: date, first: int, last: int) -> int:
    return 360 * (end.year - start.year) + 30 * (end.month - start.month) + last - first


def year_fraction(
    start: date, end: date, day_count: DayCount, termination: date | None = None
) -> Fraction:
    """
    Return the exact fraction of a year from `start` to `end`, `end` not earned.

    Args:
        start: First day.
        end: Last day; PERIOD_360 counts calendar days over 360 here, see `period_fraction`.
        day_count: The contract's convention.
        termination: Only for THIRTY_E_360_ISDA.
    """
    match day_count:
        case DayCount.THIRTY_360:
            return Fraction(days_thirty_360(start, end), 360)
        case DayCount.THIRTY_E_360:
            return Fraction(days_thirty_e_360(start, end), 360)
        case DayCount.THIRTY_E_360_ISDA:
            return Fraction(days_thirty_e_360_isda(start, end, termination), 360)
        case DayCount.ACT_ACT_ISDA:
            return _by_calendar_year(start, end)
        case DayCount.ACT_ACT_NIGHT:
            day = timedelta(days=1)
            return _by_calendar_year(start + day, end + day)
        case _:
            return Fraction((end - start).days, YEAR_DAYS[day_count])


YEAR_DAYS = {
    DayCount.PERIOD_360: 360,
    DayCount.ACT_360: 360,
    DayCount.ACT_364: 364,
    DayCount.ACT_365_FIXED: 365,
}
"""Days in a year where it is the same each year."""


def _by_calendar_year(start: date, end: date) -> Fraction:
    """Count each day over the days of its own calendar year (ISDA 2006, 4.16(b))."""
    total, day = Fraction(0), start
    while day < end:
        upto = min(end, date(day.year + 1, 1, 1))
        total += Fraction((upto - day).days, 366 if calendar.isleap(day.year) else 365)
        day = upto
    return total


def period_fraction(
    period: tuple[date, date], part: tuple[date, date], day_count: DayCount, months: int
) -> Fraction:
    """
    Return the fraction of a year that a part of one repayment period is.

    Args:
        period: The repayment period's first day and due date.
        part: The days looked at, inside the period; the last not earned.
        day_count: PERIOD_360 gives a whole period of months thirty days a month, a part in
            proportion to its calendar days; every other looks at the part alone.
        months: Months in the period; 0 when the contract counts in days.
    """
    if day_count is DayCount.PERIOD_360 and months:
        days = (period[1] - period[0]).days
        return Fraction(months * (part[1] - part[0]).days, 12 * days) if days else Fraction(0)
    return year_fraction(part[0], part[1], day_count)
