"""What a loan costs: internal rates of return and annual percentage rates, by published rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from shared.kernel.errors import InvalidArgument
from shared.kernel.unit_periods import unit_periods

Number = int | float | Decimal | Fraction


class RateNotFound(InvalidArgument):
    """No rate makes these cash flows worth nothing: they need both signs."""


class Flow(NamedTuple):
    """One payment: whole unit periods after the first advance, the odd part, and the amount."""

    periods: int
    odd: float
    amount: float


def level_payment(principal: Decimal, rate: Decimal, periods: int) -> Decimal:
    """
    Return the unrounded level instalment of an annuity.

    Args:
        principal: Any unit; the result has the same.
        rate: Per period, such as 0.01.
        periods: Number of instalments, at least 1.
    """
    if rate == 0:
        return principal / periods
    return principal * rate / (1 - (1 + rate) ** -periods)


def principal_part(principal: Decimal, rate: Decimal, periods: int, number: int) -> Decimal:
    """Return the unrounded principal in instalment `number` (from 1) of an annuity."""
    payment = level_payment(principal, rate, periods)
    return (payment - principal * rate) * (1 + rate) ** (number - 1)


def irr(flows: Sequence[Number]) -> float:
    """
    Return the rate per period at which equally spaced flows are worth nothing.

    Raises:
        RateNotFound: the flows do not change sign.
    """
    amounts = [float(flow) for flow in flows]
    return _root(lambda r: sum(a * (1 + r) ** -k for k, a in enumerate(amounts)))


def xirr(flows: Sequence[tuple[date, Number]]) -> float:
    """
    Return the effective annual rate of dated flows, days over 365.

    Raises:
        RateNotFound: the flows do not change sign.
    """
    start = flows[0][0]
    timed = [((day - start).days / 365, float(amount)) for day, amount in flows]
    return irr_at(timed)


def irr_at(flows: Sequence[tuple[float, Number]]) -> float:
    """
    Return the effective annual rate of flows at times in years.

    Source:
        The equation of Directive 2008/48/EC, Annex I; the time of a month is a twelfth of a year.
    """
    timed = [(float(t), float(a)) for t, a in flows]
    return _root(lambda r: sum(a * (1 + r) ** -t for t, a in timed))


def apr_actuarial(advances: Sequence[Flow], payments: Sequence[Flow], per_year: float) -> float:
    """
    Return the annual percentage rate of the actuarial method, a fraction of one.

    Args:
        advances: What the borrower receives; the first at period 0.
        payments: What the borrower pays, counted in whole unit periods and an odd part.
        per_year: Unit periods in a year, such as 12.
    Source:
        12 CFR 1026, Appendix J: each flow over (1 + f i)(1 + i)^t.
    """

    def worth(rate: float) -> float:
        def now(flow: Flow) -> float:
            return flow.amount / ((1 + flow.odd * rate) * (1 + rate) ** flow.periods)

        return sum(map(now, advances)) - sum(map(now, payments))

    return _root(worth) * per_year


def all_in_annual(flows: Sequence[tuple[date, Number]]) -> float:
    """
    Return what dated flows cost a year, a fraction: twelve times their monthly rate of return.

    Args:
        flows: What the borrower receives is below zero, what it pays above; in any order.
    Returns:
        Nominal; odd days before a whole month count in thirtieths of one.
    Source:
        PBOC announcement 2021 no. 3, on months as 12 CFR 1026, Appendix J counts them.
    """
    start = min(on for on, _ in flows)
    timed = [Flow(*unit_periods(start, on, 12), float(amount)) for on, amount in flows]
    return apr_actuarial([], timed, 12)


_STEPS = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0)
_UP = tuple(pairwise(_STEPS))
_DOWN = tuple((-far, -near) for near, far in pairwise((*_STEPS[:5], 0.99)))
_NEAREST_FIRST = sorted((*_UP, *_DOWN), key=lambda bounds: min(map(abs, bounds)))


def _root(worth: Callable[[float], float]) -> float:
    """Return the rate nearest to none, from -99 % to a million percent, to the last bit."""
    for low, high in _NEAREST_FIRST:
        at_low = worth(low)
        if at_low * worth(high) <= 0:
            return _bisected(worth, low, high, at_low)
    raise RateNotFound("no rate fits", field="flows", expected="money out and money in")


def _bisected(worth: Callable[[float], float], low: float, high: float, at_low: float) -> float:
    for _ in range(200):
        middle = (low + high) / 2
        if worth(middle) * at_low > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
