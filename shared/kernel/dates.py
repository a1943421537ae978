"""Due dates are dates: months end where the month ends, days count as the contract says."""

from __future__ import annotations

import calendar
import re
from datetime import date
from enum import StrEnum
from fractions import Fraction

from shared.kernel.errors import InvalidArgument

_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class DateNotValid(InvalidArgument):
    """The text is not a calendar date such as 2026-03-05."""


class DayCount(StrEnum):
    """How days become a fraction of a year."""

    THIRTY_360 = "THIRTY_360"
    ACT_365_FIXED = "ACT_365_FIXED"


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


def days_thirty_360(start: date, end: date) -> int:
    """
    Count days as if every month had thirty.

    Source:
        30/360 Bond Basis, ISDA 2006 Definitions, 4.16(f).
    """
    first = min(start.day, 30)
    last = 30 if end.day == 31 and first == 30 else end.day
    return 360 * (end.year - start.year) + 30 * (end.month - start.month) + last - first


def year_fraction(start: date, end: date, day_count: DayCount) -> Fraction:
    """Return the exact fraction of a year from `start` to `end`, `end` not earned."""
    if day_count is DayCount.THIRTY_360:
        return Fraction(days_thirty_360(start, end), 360)
    return Fraction((end - start).days, 365)
