"""Rates of flows with more than one answer, and of long loans."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.kernel import rates

# what they are | flows | rate per period
SEVERAL = [
    ("money back at the end", [-100, 0, 0, 74], -0.0955),
    ("two rates fit: the one nearer to none", [-100, 100, 0, -7], -0.0833),
    ("one rate", [-100, 100, 0, 7], 0.0621),
    ("signs change four times", [-5, 10.5, 1, -8, 1], 0.0886),
    ("half of it is lost", [-70_000, 12_000, 15_000], -0.4435),
]


@pytest.mark.parametrize(("_", "flows", "rate"), SEVERAL, ids=[row[0] for row in SEVERAL])
def test_the_rate_nearest_to_none(_: str, flows: list[float], rate: float) -> None:
    """Of several rates that fit, the one that people mean; figures as spreadsheets print them."""
    assert rates.irr(flows) == pytest.approx(rate, abs=5e-5)


def test_a_loan_of_thirty_years() -> None:
    """360 instalments give back the rate that made them."""
    rate = Decimal("0.00375")
    instalment = float(rates.level_payment(Decimal(100_000), rate, 360))

    assert rates.irr([-100_000, *[instalment] * 360]) == pytest.approx(0.00375, abs=1e-12)


def test_no_rate() -> None:
    """Money that only goes out has none."""
    with pytest.raises(rates.RateNotFound):
        rates.irr([-100, -5])
