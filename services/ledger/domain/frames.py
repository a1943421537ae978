"""Contracts of the same days and rate share their dates, their periods and their growth."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise, repeat
from math import gcd
from operator import attrgetter

from services.ledger.domain.periods import months_of, plain_period
from services.ledger.domain.terms import FirstPeriod, RepaymentMethod, ShortMonth, Terms
from shared.kernel.calendars import BusinessDayRule, calendar_named
from shared.kernel.dates import add_months, due_date

FRAMES_MAX = 4_096
"""Frames kept, of about 10 KB for 24 instalments."""

_of_days = attrgetter(
    *("first_due_on", "instalments", "months_per_instalment", "days_per_instalment", "due_day"),
    *("short_month", "due_dates", "method", "interest_from", "business_day_rule", "calendar"),
    *("day_count", "rate_annual", "first_period"),
)
"""What a frame is made of, besides the day of the disbursal."""


class Frame:
    """
    What a schedule is computed from before any money is known.

    `periods` earn from the first day to the due date, nothing is paid out in them or paused; the
    first counts `odd` months where it goes on from an earlier plan and is not whole. `rate` is
    theirs for a year, `growths` say what one unit grows to over each; all as ratios.
    """

    __slots__ = ("_tails", "dates", "growths", "periods", "rate")

    def __init__(self, terms: Terms, start_on: date, odd: Fraction | None) -> None:
        self.dates = tuple(due_dates(terms))
        days = pairwise([terms.interest_from or start_on, *self.dates])
        if terms.first_period is not FirstPeriod.WHOLE and terms.interest_from is None:
            odd = odd_months(terms, start_on, self.dates[0])
        odds = (odd, *repeat(None, len(self.dates) - 1))
        self.periods = tuple(
            plain_period(start, due, terms, its)
            for (start, due), its in zip(days, odds, strict=True)
        )
        self.rate = terms.rate_annual.as_integer_ratio()
        self.growths = tuple(period.growth(self.rate) for period in self.periods)
        self._tails: dict[int, tuple[int, int]] = {}

    def tail(self, first: int) -> tuple[int, int]:
        """
        Return the annuity of the periods from one on, as a ratio.

        Returns:
            The growth over all periods after the first of them, over the sum of the growths that
            each instalment still has before it.
        """
        found = self._tails.get(first)
        if found is None:
            growth, later = 1, 0
            # Both over one denominator, which their ratio does not need.
            for factor, over in reversed(self.growths[first + 1 :]):
                later = (later + growth) * over
                growth *= factor
            common = gcd(growth, later + growth)
            found = self._tails[first] = (growth // common, (later + growth) // common)
        return found


_FRAMES: dict[tuple[object, ...], Frame] = {}


def frame_of(terms: Terms, start_on: date, odd: Fraction | None = None) -> Frame:
    """Return the frame of a contract whose money is first paid out on a date."""
    key = (start_on, odd, *_of_days(terms))
    frame = _FRAMES.get(key)
    if frame is None:
        if len(_FRAMES) >= FRAMES_MAX:
            _FRAMES.clear()
        frame = _FRAMES[key] = Frame(terms, start_on, odd)
    return frame


def dates_of(terms: Terms, start_on: date) -> tuple[date, ...]:
    """Return the due dates of a contract, oldest first."""
    return frame_of(terms, start_on).dates


def odd_months(terms: Terms, start_on: date, due_on: date) -> Fraction | None:
    """
    Return how many months a plan's first period counts; None where it is whole, or has no days.

    Args:
        terms: A contract of whole months that counts the days of this period.
        start_on: Its first day.
        due_on: Its due date; a business day rule that moved it changes no interest.
    Returns:
        The whole months before the due date, counted back from it, and a 30th for each day left.
    Source:
        Regulation Z, 12 CFR 1026, appendix J (b)(5): months backwards, odd days over 30.
    """
    counted = _counted_dates(terms)[0]
    if start_on >= min(due_on, counted):
        return None
    months = 12 * (counted.year - start_on.year) + counted.month - start_on.month
    while (since := _months_before(terms, counted, months)) < start_on:
        months -= 1
    found = months + Fraction((since - start_on).days, 30)
    return None if found == months_of(terms) else found


def _months_before(terms: Terms, due_on: date, months: int) -> date:
    """Return the contract's date so many months before a due date."""
    if not terms.due_day or terms.due_dates:
        return add_months(due_on, -months)
    rolls = terms.short_month is ShortMonth.FIRST_OF_NEXT
    return due_date(due_on, -months, terms.due_day, rolls)


def forget() -> None:
    """Let go of every frame."""
    _FRAMES.clear()


def due_dates(terms: Terms) -> list[date]:
    """Return one due date per instalment, oldest first; on business days if the terms say so."""
    dates = _counted_dates(terms)
    if terms.business_day_rule is BusinessDayRule.NONE:
        return dates
    calendar = calendar_named(terms.calendar)
    return [calendar.adjust(day, terms.business_day_rule) for day in dates]


def counted_from(terms: Terms, due_on: date) -> date:
    """Return the date that a due date was before the business day rule moved it."""
    pairs = zip(_counted_dates(terms), due_dates(terms), strict=True)
    return next((counted for counted, due in pairs if due == due_on), due_on)


def _counted_dates(terms: Terms) -> list[date]:
    """Return one date per instalment, each counted from the first."""
    if terms.due_dates:
        return list(terms.due_dates)
    steps = range(terms.instalments)
    if terms.days_per_instalment:
        step = timedelta(days=terms.days_per_instalment)
        dates = [terms.first_due_on + k * step for k in steps]
    elif terms.due_day:
        each = terms.months_per_instalment
        rolls = terms.short_month is ShortMonth.FIRST_OF_NEXT
        dates = [due_date(terms.first_due_on, k * each, terms.due_day, rolls) for k in steps]
    else:
        each = terms.months_per_instalment
        dates = [add_months(terms.first_due_on, k * each) for k in steps]
    return dates[-1:] if terms.method is RepaymentMethod.BULLET else dates
