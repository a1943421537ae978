"""Due dates on business days, by calendars that are data."""

from __future__ import annotations

from datetime import date

import pytest

from shared.kernel.calendars import (
    CHINA,
    TARGET,
    WEEKENDS,
    BusinessDayRule,
    CalendarUnknown,
    CalendarYearUnknown,
    calendar_named,
    easter_sunday,
)

MOVED = [
    # calendar | due | rule | moves to
    (WEEKENDS, "2026-02-07", "FOLLOWING", "2026-02-09"),  # a Saturday
    (WEEKENDS, "2026-02-28", "MODIFIED_FOLLOWING", "2026-02-27"),  # Monday is in March
    (WEEKENDS, "2026-02-08", "PRECEDING", "2026-02-06"),
    (TARGET, "2026-04-03", "FOLLOWING", "2026-04-07"),  # Good Friday to Tuesday after Easter
    (CHINA, "2025-10-01", "FOLLOWING", "2025-10-09"),  # National Day week
    (CHINA, "2025-10-11", "FOLLOWING", "2025-10-11"),  # a Saturday that is worked
    (CHINA, "2025-01-31", "MODIFIED_FOLLOWING", "2025-01-27"),  # Spring Festival, not into February
    (CHINA, "2025-02-04", "NONE", "2025-02-04"),
]


@pytest.mark.parametrize(("calendar", "due", "rule", "moved"), MOVED)
def test_a_due_date_moves_to_a_business_day(calendar, due, rule, moved) -> None:
    """Published holidays move due dates as the rule says."""
    found = calendar.adjust(date.fromisoformat(due), BusinessDayRule(rule))

    assert found == date.fromisoformat(moved)


def test_a_year_without_data_is_an_error() -> None:
    """Nobody guesses the holidays of a year that was not announced."""
    with pytest.raises(CalendarYearUnknown, match="no data for 2031"):
        CHINA.adjust(date(2031, 1, 1), BusinessDayRule.FOLLOWING)
    with pytest.raises(CalendarUnknown):
        calendar_named("moon/1")


def test_easter() -> None:
    """Easter Sundays as any almanac prints them."""
    assert [easter_sunday(year).isoformat() for year in (2000, 2019, 2024, 2026)] == [
        "2000-04-23",
        "2019-04-21",
        "2024-03-31",
        "2026-04-05",
    ]
