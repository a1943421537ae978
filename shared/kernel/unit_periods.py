"""How far a payment lies from the money it pays back, in the periods that rates are stated in."""

from __future__ import annotations

from datetime import date

from shared.kernel.dates import add_months

_DAYS = {365: 1, 52: 7, 26: 14, 13: 28, 24: 15}


def months_back(advance_on: date, due_on: date) -> tuple[int, int]:
    """Return whole months, counted back from the payment, and the odd days before them."""
    months = (due_on.year - advance_on.year) * 12 + due_on.month - advance_on.month
    if add_months(due_on, -months) < advance_on:
        months -= 1
    return months, (add_months(due_on, -months) - advance_on).days


def unit_periods(advance_on: date, due_on: date, per_year: int) -> tuple[int, float]:
    """
    Return whole unit periods and the odd part of one from an advance to a payment.

    Args:
        per_year: Unit periods in a year: 365, 52, 26, 24, 13, or a divisor of 12.
    Source:
        12 CFR 1026, Appendix J (b)(5): months are counted back from the payment; odd days are
        thirtieths of a month, of a year 365ths.
    """
    if per_year in _DAYS:
        days, unit = (due_on - advance_on).days, _DAYS[per_year]
        return days // unit, days % unit / unit
    step = 12 // per_year
    months, odd_days = months_back(advance_on, due_on)
    whole, rest = divmod(months, step)
    if per_year == 1 and odd_days:
        return whole, (add_months(due_on, -12 * whole) - advance_on).days / 365
    return whole, (rest * 30 + odd_days) / (30 * step)


def single_period(advance_on: date, due_on: date) -> tuple[float, int, float]:
    """
    Return the unit period of a loan with one payment: its term, up to a year.

    Returns:
        Unit periods in a year, whole ones to the payment, and the odd part.
    Source:
        12 CFR 1026, Appendix J (b)(2)(iv), (b)(4)(ii): whole months, else days of 365.
    """
    months, odd_days = months_back(advance_on, due_on)
    if months < 12:
        return (365 / (due_on - advance_on).days if odd_days else 12 / months), 1, 0.0
    return 1.0, *unit_periods(advance_on, due_on, 1)
