"""What the borrower agreed to pay and when; the last instalment absorbs the rest."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from services.ledger.domain.periods import Draw, Period, periods_of
from services.ledger.domain.terms import RepaymentMethod, ShortMonth, Terms
from shared.kernel.calendars import BusinessDayRule, calendar_named
from shared.kernel.dates import add_months, due_date
from shared.kernel.money import round_minor, round_ratio


class Instalment(NamedTuple):
    """What falls due on one date; minor units; `period` says what earned the interest."""

    number: int
    due_on: date
    principal_due_minor: int
    interest_due_minor: int
    period: Period


class Plan(NamedTuple):
    """What a schedule is computed from: terms, money paid out, days that earn nothing."""

    terms: Terms
    start_on: date
    draws: tuple[Draw, ...]
    pauses: tuple[tuple[date, date], ...] = ()
    first_number: int = 1


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


def schedule(terms: Terms, start_on: date, first_number: int = 1) -> tuple[Instalment, ...]:
    """Compute the contract's instalments with the whole principal paid out on `start_on`."""
    draws = (Draw(start_on, terms.principal_minor),)
    return schedule_of(Plan(terms, start_on, draws, (), first_number))


@lru_cache(maxsize=4_096)
def schedule_of(plan: Plan) -> tuple[Instalment, ...]:
    """
    Compute the instalments of a plan.

    Args:
        plan: Checked terms, draws by date, pauses inclusive at both ends.
    Returns:
        Down payments and instalments, oldest first; principal sums to what was paid out.
    Source:
        Level instalment by an annuity with one factor per period; interest of each period on the
        balance of the night before, rounded once per period. A later draw changes the instalments
        from its own period on.
    """
    terms = plan.terms
    number, downs, financed = plan.first_number, [], []
    for draw in plan.draws:
        down = _down_payment(terms, draw.amount_minor)
        financed.append(Draw(draw.on, draw.amount_minor - down))
        if down:
            downs.append((draw.on, down))
    dates, out = due_dates(terms), tuple(financed)
    plain = periods_of(terms, plan.start_on, dates, out, ())
    periods = periods_of(terms, plan.start_on, dates, out, plan.pauses) if plan.pauses else plain
    first_downs = [d for d in downs if d[0] == plan.start_on]
    rows = [_down_row(number + k, on, amount) for k, (on, amount) in enumerate(first_downs)]
    number += len(rows)
    flat = sum(draw.amount_minor for draw in plan.draws)
    rows += _instalments(terms, plain, periods, number, flat)
    number += len(periods)
    later = [d for d in downs if d[0] != plan.start_on]
    rows += [_down_row(number + k, on, amount) for k, (on, amount) in enumerate(later)]
    return tuple(sorted(rows, key=lambda row: (row.due_on, row.number)))


def _down_payment(terms: Terms, amount_minor: int) -> int:
    share = amount_minor * terms.down_payment_rate
    return round_minor(share, terms.rounding, terms.instalment_multiple_minor)


def _down_row(number: int, on: date, amount_minor: int) -> Instalment:
    return Instalment(number, on, amount_minor, 0, Period(on, on, ()))


def _instalments(
    terms: Terms, plain: list[Period], periods: list[Period], number: int, flat_minor: int
) -> list[Instalment]:
    """
    Fix the level at each period in which money is paid out, for that period and later ones.

    The level is that of the periods without pauses, and of the money paid out by then; what a
    pause saves lowers the last instalment.
    """
    if terms.method is RepaymentMethod.AGREED:
        return [
            Instalment(number + k, period.due_on, principal, interest, period)
            for k, (period, (principal, interest)) in enumerate(
                zip(periods, terms.agreed, strict=True)
            )
        ]
    rows: list[Instalment] = []
    starts = [k for k, period in enumerate(periods) if period.drawn or k == 0]
    for start, end in zip(starts, [*starts[1:], len(periods)], strict=True):
        balance = sum(p.drawn for p in periods[: start + 1])
        balance -= sum(row.principal_due_minor for row in rows)
        known = [p if k <= start else p.undrawn() for k, p in enumerate(plain)]
        level = _level(terms, known, start, balance)
        if terms.even_out_last and terms.method is RepaymentMethod.LEVEL_INSTALMENT:
            level = _evened(terms, known, rows, level, number)
        rows = _run(terms, periods, rows, level, number, flat_minor)[:end]
    return rows


def _run(
    terms: Terms,
    periods: list[Period],
    kept: list[Instalment],
    level: int,
    number: int,
    flat_minor: int,
) -> list[Instalment]:
    """Run the balance down from the rows that are kept to the last."""
    rows = list(kept)
    balance = sum(p.drawn for p in periods[: len(rows)])
    balance -= sum(row.principal_due_minor for row in rows)
    carried = 0
    flat = _flat_interest(terms, periods, flat_minor)
    for k in range(len(rows), len(periods)):
        period, last = periods[k], k == len(periods) - 1
        opening = balance
        balance += period.drawn
        earned = flat[k] if flat else period.interest(opening, terms)
        interest = 0 if k < terms.interest_free_instalments else earned + carried
        carried = interest if k < terms.interest_grace_instalments else 0
        interest -= carried
        plain = interest if terms.interest_grace_instalments == 0 else min(interest, earned)
        principal = balance if last else _principal(terms, k, level, plain, balance)
        rows.append(Instalment(number + k, period.due_on, principal, interest, period))
        balance -= principal
    return rows


def _principal(terms: Terms, k: int, level: int, interest: int, balance: int) -> int:
    """Return the principal of one instalment that is not the last, under the terms' method."""
    if k < terms.principal_grace_instalments:
        return 0
    if terms.method is RepaymentMethod.LEVEL_INSTALMENT:
        return max(0, min(balance, level - interest))
    if terms.method in (RepaymentMethod.EQUAL_PRINCIPAL, RepaymentMethod.FLAT):
        return min(balance, level)
    return 0


def _level(terms: Terms, periods: list[Period], start: int, balance: int) -> int:
    """
    Return what stays the same from period `start` on: the annuity, or the equal principal.

    The annuity is the balance grown to the end over the sum of later growth, rounded once.
    """
    first = max(start, terms.principal_grace_instalments)
    left = len(periods) - first
    if terms.method is not RepaymentMethod.LEVEL_INSTALMENT:
        share = Decimal(balance) / max(1, left)
        return round_minor(share, terms.rounding, terms.instalment_multiple_minor)
    growth, later = 1, 0
    factors = [p.growth(terms) for p in periods[first:]]
    opening = balance - periods[first].drawn if first == start else balance
    grown = Fraction(opening) * Fraction(*factors[0]) + (
        periods[first].drawn_grown(terms) if first == start else 0
    )
    # Both over one denominator, which their ratio does not need.
    for factor, over in reversed(factors[1:]):
        later = (later + growth) * over
        growth *= factor
    part, of = grown.as_integer_ratio()
    return round_ratio(
        part * growth, of * (later + growth), terms.rounding, terms.instalment_multiple_minor
    )


def _evened(
    terms: Terms, periods: list[Period], kept: list[Instalment], level: int, number: int
) -> int:
    """Shift the level once by the last instalment's difference over all, if the gap shrinks."""
    count = len(periods) - len(kept)
    gap = _gap(_run(terms, periods, kept, level, number, 0), level)
    if abs(gap) <= count // 2:
        return level
    shifted = round_minor(
        level + Fraction(gap, count), terms.rounding, terms.instalment_multiple_minor
    )
    again = _gap(_run(terms, periods, kept, shifted, number, 0), shifted)
    return shifted if abs(again) < abs(gap) else level


def _gap(rows: list[Instalment], level: int) -> int:
    return rows[-1].principal_due_minor + rows[-1].interest_due_minor - level


def _flat_interest(terms: Terms, periods: list[Period], principal_minor: int) -> list[int]:
    """Return each period's flat interest: on the amount paid out, over the whole term."""
    if terms.method is not RepaymentMethod.FLAT:
        return []
    years = sum((p.length for p in periods), Fraction(0))
    total = round_minor(principal_minor * Fraction(terms.rate_annual) * years, terms.rounding)
    each = round_minor(Fraction(total, len(periods)), terms.rounding)
    before_last = [max(0, min(each, total - k * each)) for k in range(len(periods) - 1)]
    return [*before_last, total - sum(before_last)]
