"""What the borrower agreed to pay and when; the last instalment absorbs the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from services.ledger.domain.terms import RepaymentMethod, Terms
from shared.kernel.dates import add_months, year_fraction
from shared.kernel.money import Rounding, round_minor


@dataclass(frozen=True, slots=True)
class Instalment:
    """What falls due on one date; minor units."""

    number: int
    due_on: date
    principal_due_minor: int
    interest_due_minor: int


def due_dates(terms: Terms) -> list[date]:
    """Return one due date per instalment, oldest first; each counted from the first."""
    if terms.method is RepaymentMethod.BULLET:
        months = (terms.instalments - 1) * terms.months_per_instalment
        return [add_months(terms.first_due_on, months)]
    return [
        add_months(terms.first_due_on, k * terms.months_per_instalment)
        for k in range(terms.instalments)
    ]


@lru_cache(maxsize=100_000)
def schedule(terms: Terms, start_on: date, first_number: int = 1) -> tuple[Instalment, ...]:
    """
    Compute the contract's instalments.

    Args:
        terms: Checked terms; `first_due_on` after `start_on`.
        start_on: Interest runs from here.
        first_number: Number of the first instalment.
    Returns:
        One Instalment per due date, oldest first; principal sums to the terms' principal.
    Source:
        Level instalment by an annuity with one factor per period; interest of each period on the
        balance of the night before, rounded once per period.
    """
    dates = due_dates(terms)
    factors = _period_rates(terms, start_on, dates)
    level = _level_payment(terms, factors)
    balance, rows = terms.principal_minor, []
    for k, (due_on, factor) in enumerate(zip(dates, factors, strict=True)):
        interest = _round(balance * factor, terms.rounding)
        principal = _principal_due(terms, level, interest, balance, last=k == len(dates) - 1)
        rows.append(Instalment(first_number + k, due_on, principal, interest))
        balance -= principal
    return tuple(rows)


def _period_rates(terms: Terms, start_on: date, dates: list[date]) -> list[Fraction]:
    """Return each period's interest per unit of balance, exact."""
    starts = [start_on, *dates[:-1]]
    rate = Fraction(terms.rate_annual)
    return [
        rate * year_fraction(start, end, terms.day_count)
        for start, end in zip(starts, dates, strict=True)
    ]


def _level_payment(terms: Terms, factors: list[Fraction]) -> int:
    """Return the annuity: principal grown to the end over the sum of later growth, rounded once."""
    growth, later = Decimal(1), Decimal(0)
    for factor in reversed(factors):
        later += growth
        growth *= 1 + Decimal(factor.numerator) / Decimal(factor.denominator)
    return round_minor(terms.principal_minor * growth / later, terms.rounding)


def _principal_due(terms: Terms, level: int, interest: int, balance: int, *, last: bool) -> int:
    """Return the principal of one instalment under the terms' method."""
    if last:
        return balance
    if terms.method is RepaymentMethod.LEVEL_INSTALMENT:
        return max(0, min(balance, level - interest))
    if terms.method is RepaymentMethod.EQUAL_PRINCIPAL:
        share = Decimal(terms.principal_minor) / terms.instalments
        return min(balance, round_minor(share, terms.rounding))
    return 0


def _round(amount: Fraction, rounding: Rounding) -> int:
    """Round an exact fraction of minor units by the contract's mode."""
    return round_minor(Decimal(amount.numerator) / Decimal(amount.denominator), rounding)
