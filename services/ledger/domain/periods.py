"""One repayment period: which nights earn interest on which balance."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from services.ledger.domain.terms import RepaymentMethod, Terms
from shared.kernel.dates import DayCount, period_fraction
from shared.kernel.money import round_ratio

DAY = timedelta(days=1)


class Draw(NamedTuple):
    """Money paid out on a date, minor units."""

    on: date
    amount_minor: int


class Segment(NamedTuple):
    """Nights of one period that earn: from, to, and what was drawn in the period by then."""

    from_on: date
    to_on: date
    years: Fraction
    drawn_minor: int


class Period(NamedTuple):
    """One repayment period from `start_on` to its due date."""

    start_on: date
    due_on: date
    segments: tuple[Segment, ...]
    drawn: int = 0
    length: Fraction = Fraction(0)

    def undrawn(self) -> Period:
        """Return the period as it is while nothing is paid out in it."""
        if not self.drawn:
            return self
        whole = Segment(self.start_on, self.due_on, self.length, 0)
        return self._replace(segments=(whole,), drawn=0)

    def interest(self, opening_minor: int, terms: Terms) -> int:
        """Return the period's interest on an opening balance, rounded once; minor units."""
        earned, over = terms.rate_annual.as_integer_ratio()
        # Whole numbers: reducing fractions on the way is most of what a schedule would cost.
        total, years = 0, 1
        for s in self.segments:
            part, of = s.years.as_integer_ratio()
            total = total * of + (opening_minor + s.drawn_minor) * part * years
            years *= of
        return round_ratio(total * earned, years * over, terms.rounding)

    def growth(self, terms: Terms) -> tuple[int, int]:
        """Return what one unit grows to over the period, as a ratio; pauses do not change it."""
        earned, over = terms.rate_annual.as_integer_ratio()
        part, of = self.length.as_integer_ratio()
        return over * of + earned * part, over * of

    def drawn_grown(self, terms: Terms) -> Fraction:
        """Return the money drawn in this period with its interest to the due date."""
        rate = Fraction(terms.rate_annual)
        grown = sum((s.drawn_minor * s.years for s in self.segments), Fraction(0))
        return self.drawn + rate * grown

    def earned_part(self, on: date, opening_minor: int, terms: Terms) -> Fraction:
        """Return the part of the period's interest that is earned by `on`, 0 to 1."""
        whole, part = Fraction(0), Fraction(0)
        for s in self.segments:
            weight = opening_minor + s.drawn_minor
            whole += weight * s.years
            if on > s.from_on:
                upto = min(on, s.to_on)
                part += weight * _years(self.start_on, self.due_on, s.from_on, upto, terms)
        return part / whole if whole else Fraction(0)


@lru_cache(maxsize=10_000)
def _plain(start: date, due: date, day_count: DayCount, months: int) -> Period:
    """Return a period in which nothing is paid out or paused; loans of the same days share it."""
    length = period_fraction((start, due), (start, due), day_count, months)
    return Period(start, due, (Segment(start, due, length, 0),), 0, length)


def _months(terms: Terms) -> int:
    """Return the months of one period."""
    bullet = terms.method is RepaymentMethod.BULLET and terms.day_count is DayCount.PERIOD_360
    return terms.months_per_instalment * (terms.instalments if bullet else 1)


def _years(start: date, due: date, from_on: date, to_on: date, terms: Terms) -> Fraction:
    return period_fraction((start, due), (from_on, to_on), terms.day_count, _months(terms))


def periods_of(
    terms: Terms,
    start_on: date,
    dates: list[date],
    draws: tuple[Draw, ...],
    pauses: tuple[tuple[date, date], ...],
) -> list[Period]:
    """Return one period per due date, oldest first, with its earning nights."""
    found, months = [], _months(terms)
    for k, (start, due) in enumerate(pairwise([terms.interest_from or start_on, *dates])):
        last = k == len(dates) - 1
        within = [d for d in draws if (start <= d.on or k == 0) and (d.on < due or last)]
        if not within and not pauses and start < due:
            found.append(_plain(start, due, terms.day_count, months))
            continue
        segments = _segments(terms, start, due, within, pauses)
        drawn = sum(d.amount_minor for d in within)
        length = _years(start, due, start, due, terms)
        found.append(Period(start, due, segments, drawn, length))
    return found


def _segments(
    terms: Terms,
    start: date,
    due: date,
    draws: list[Draw],
    pauses: tuple[tuple[date, date], ...],
) -> tuple[Segment, ...]:
    """Cut a period where a draw or a pause changes what its nights earn."""
    cuts = {start, due, *(d.on for d in draws if start < d.on < due)}
    for first, last in pauses:
        cuts |= {day for day in (first - DAY, last) if start < day < due}
    segments = []
    for from_on, to_on in pairwise(sorted(cuts)):
        if any(first - DAY <= from_on and to_on <= last for first, last in pauses):
            continue
        drawn = sum(d.amount_minor for d in draws if d.on <= from_on)
        segments.append(Segment(from_on, to_on, _years(start, due, from_on, to_on, terms), drawn))
    return tuple(segments)
