"""Penalty interest: what overdue principal earns from its due date on, while time passes."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

from services.ledger.domain.terms import Terms
from services.ledger.domain.timeline import Row, SharedRows, Timeline
from shared.kernel.dates import YEAR_DAYS, DayCount


def pass_time(line: Timeline, to_on: date) -> None:
    """Accrue penalty interest on overdue principal from each due date up to a date."""
    if to_on <= line.on:
        return
    if line.terms.penalty_rate_annual:
        rate = Fraction(line.terms.penalty_rate_annual)
        year = penalty_year(line.terms.day_count)
        shared = type(line.rows) is SharedRows
        for place, row in enumerate(line.rows):
            if row.due_on >= to_on:
                break
            base, days = penalty_base(line.terms, row), _penalty_days(line, row, to_on)
            if base > 0 and days > 0:
                late = row.copied() if shared else row
                late.penalty_runs = _run_on(row.penalty_runs, base, days)
                late.penalty_exact += penalty_interest(Fraction(base), rate, days, year)
                line.rows[place] = late
    line.on = to_on


def _run_on(runs: tuple[tuple[int, int], ...], base: int, days: int) -> tuple[tuple[int, int], ...]:
    """Add days to the last run of the same base, or begin another: however often one looks."""
    if runs and runs[-1][0] == base:
        return (*runs[:-1], (base, runs[-1][1] + days))
    return (*runs, (base, days))


def penalty_base(terms: Terms, row: Row) -> int:
    """Return what bears penalty interest: overdue principal, and interest if the terms say so."""
    unpaid_interest = row.interest_due - row.interest_paid if terms.penalty_on_interest else 0
    return row.principal_unpaid + unpaid_interest


def _penalty_days(line: Timeline, row: Row, to_on: date) -> int:
    """Return the days since the last look that bear penalty: from the due date or after grace."""
    free = timedelta(days=line.terms.grace_days) if line.terms.penalty_from_grace else None
    since = row.due_on + free if free else row.due_on
    return (to_on - max(since, line.on)).days


def penalty_year(day_count: DayCount) -> int:
    """Return the days of a year for penalty interest: 360 where the contract counts 360."""
    return YEAR_DAYS.get(day_count, 360 if "THIRTY" in day_count else 365)


def penalty_interest(principal: Fraction, rate_annual: Fraction, days: int, year: int) -> Fraction:
    """Return penalty interest on overdue principal for whole days, exact, in the unit given."""
    return principal * rate_annual * days / year
