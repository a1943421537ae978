"""What a loan costs, all in: the rate at which what is paid equals what was received."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

RATE_MONTHLY_MAX = Decimal(1)
STEPS = 60


def all_in_rate_annual(net_proceeds_minor: int, payments_minor: Sequence[int]) -> Decimal:
    """
    Return the internal rate of return of monthly payments, times twelve, four places.

    Args:
        net_proceeds_minor: What the borrower receives, after everything taken off.
        payments_minor: One payment per month, oldest first.
    Source:
        PBOC announcement 2021 no. 3: all costs over principal actually outstanding; IRR x 12.
    """
    low, high = Decimal(0), RATE_MONTHLY_MAX
    for _ in range(STEPS):
        middle = (low + high) / 2
        if _present_value(payments_minor, middle) > net_proceeds_minor:
            low = middle
        else:
            high = middle
    return (high * 12).quantize(Decimal("0.0001"))


def _present_value(payments_minor: Sequence[int], rate_monthly: Decimal) -> Decimal:
    discount, total = Decimal(1), Decimal(0)
    for payment in payments_minor:
        discount /= 1 + rate_monthly
        total += payment * discount
    return total
