"""One repayment period: which nights earn interest on which balance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from services.ledger.domain.terms import RepaymentMethod, Terms
from shared.kernel.dates import DayCount, period_fraction
from shared.kernel.money import Rounding, round_ratio

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
    """
    One repayment period from `start_on` to its due date.

    `opening` is what was out before it; only known where something is drawn in it. `odd_months` is
    how many months it counts, where that is not what the contract's other periods count.
    """

    start_on: date
    due_on: date
    segments: tuple[Segment, ...]
    drawn: int = 0
    length: Fraction = Fraction(0)
    opening: int = 0
    odd_months: Fraction | None = None

    def part_of_year(self, from_on: date, to_on: date, terms: Terms) -> Fraction:
        """Return the fraction of a year that some days of it are."""
        odd, start, due = self.odd_months, self.start_on, self.due_on
        if odd is None:
            return years_of(start, due, from_on, to_on, terms)
        return odd * (to_on - from_on).days / (12 * (due - start).days)

    def undrawn(self) -> Period:
        """Return the period as it is while nothing is paid out in it."""
        if not self.drawn:
            return self
        whole = Segment(self.start_on, self.due_on, self.length, 0)
        return self._replace(segments=(whole,), drawn=0)

    def interest(self, opening_minor: int, rate: tuple[int, int], rounding: Rounding) -> int:
        """
        Return the period's interest, rounded once.

        Args:
            opening_minor: The balance of the night before it, minor units.
            rate: The annual rate as a ratio.
            rounding: The contract's.
        """
        earned, over = rate
        total, of = self._out(opening_minor)
        return round_ratio(total * earned, of * over, rounding)

    def _out(self, opening_minor: int) -> tuple[int, int]:
        """Return minor units times the years for which they are out, as a ratio."""
        # Whole numbers: reducing fractions on the way is most of what a schedule would cost.
        total, of = 0, 1
        for _, _, years, drawn in self.segments:
            part, parts = years.as_integer_ratio()
            total = total * parts + (opening_minor + drawn) * part * of
            of *= parts
        return total, of

    def growth(self, rate: tuple[int, int]) -> tuple[int, int]:
        """Return what one unit grows to over the period, as a ratio; pauses do not change it."""
        earned, over = rate
        part, of = self.length.as_integer_ratio()
        return over * of + earned * part, over * of

    def drawn_grown(self, rate: tuple[int, int]) -> tuple[int, int]:
        """Return the money drawn in this period with its interest to the due date, as a ratio."""
        earned, over = rate
        total, of = self._out(0)
        return self.drawn * of * over + earned * total, of * over

    def earned_part(self, on: date, terms: Terms) -> Fraction:
        """Return the part of the period's interest that is earned by `on`, 0 to 1."""
        whole, part = Fraction(0), Fraction(0)
        # Where nothing is drawn every night weighs the same, whatever is out.
        opening = self.opening if self.drawn else 1
        for s in self.segments:
            weight = opening + s.drawn_minor
            whole += weight * s.years
            if on > s.from_on:
                upto = min(on, s.to_on)
                part += weight * self.part_of_year(s.from_on, upto, terms)
        return part / whole if whole else Fraction(0)


def plain_period(start: date, due: date, terms: Terms, odd: Fraction | None = None) -> Period:
    """Return a period in which nothing is paid out or paused; `odd` months long, where that is."""
    if odd is not None:
        length = odd / 12
        return Period(start, due, (Segment(start, due, length, 0),), 0, length, 0, odd)
    length = years_of(start, due, start, due, terms)
    if start < due:
        return Period(start, due, (Segment(start, due, length, 0),), 0, length)
    return Period(start, due, segments_of(terms, Period(start, due, ()), [], ()), 0, length)


def months_of(terms: Terms) -> int:
    """Return the months of one period."""
    bullet = terms.method is RepaymentMethod.BULLET and terms.day_count is DayCount.PERIOD_360
    return terms.months_per_instalment * (terms.instalments if bullet else 1)


def years_of(start: date, due: date, from_on: date, to_on: date, terms: Terms) -> Fraction:
    """Return the fraction of a year that some days of a period are."""
    return period_fraction((start, due), (from_on, to_on), terms.day_count, months_of(terms))


def periods_with(
    plain: Sequence[Period],
    terms: Terms,
    draws: tuple[Draw, ...],
    pauses: tuple[tuple[date, date], ...],
) -> list[Period]:
    """Return one period per due date, oldest first, with what is drawn in it and its pauses."""
    found, last = list(plain), len(plain) - 1
    all_in_first = not pauses and all(d.on < plain[0].due_on for d in draws)
    for k, period in enumerate(plain[:1] if all_in_first else plain):
        start, due = period.start_on, period.due_on
        within = [d for d in draws if (start <= d.on or k == 0) and (d.on < due or k == last)]
        if not within and not pauses:
            continue
        drawn = sum(d.amount_minor for d in within)
        if not pauses and start < due and all(d.on <= start for d in within):
            segments: tuple[Segment, ...] = (Segment(start, due, period.length, drawn),)
        else:
            segments = segments_of(terms, period, within, pauses)
        found[k] = Period(start, due, segments, drawn, period.length, 0, period.odd_months)
    return found


def segments_of(
    terms: Terms,
    period: Period,
    draws: list[Draw],
    pauses: tuple[tuple[date, date], ...],
) -> tuple[Segment, ...]:
    """Cut a period where a draw or a pause changes what its nights earn."""
    start, due = period.start_on, period.due_on
    cuts = {start, due, *(d.on for d in draws if start < d.on < due)}
    for first, last in pauses:
        cuts |= {day for day in (first - DAY, last) if start < day < due}
    segments = []
    for from_on, to_on in pairwise(sorted(cuts)):
        if any(first - DAY <= from_on and to_on <= last for first, last in pauses):
            continue
        drawn = sum(d.amount_minor for d in draws if d.on <= from_on)
        segments.append(Segment(from_on, to_on, period.part_of_year(from_on, to_on, terms), drawn))
    return tuple(segments)
