"""Where a payment lies in unit periods, as Appendix J of Regulation Z counts them."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from shared.kernel.unit_periods import single_period, unit_periods

# what repeats | a year | advance | payment | whole periods | odd part
COUNTED = [
    ("months", 12, date(1978, 2, 10), date(1978, 4, 1), 1, Fraction(19, 30)),
    ("quarters", 4, date(1978, 5, 23), date(1978, 10, 1), 1, Fraction(39, 90)),
    ("two months", 6, date(1978, 1, 10), date(1978, 3, 1), 0, Fraction(52, 60)),
    ("weeks", 52, date(1978, 3, 20), date(1978, 4, 21), 4, Fraction(4, 7)),
    ("four weeks", 13, date(1978, 3, 18), date(1978, 4, 20), 1, Fraction(5, 28)),
    ("days", 365, date(2023, 10, 26), date(2023, 11, 30), 35, Fraction(0)),
    ("years, odd days", 1, date(2023, 10, 26), date(2023, 11, 30), 0, Fraction(35, 365)),
    ("years, whole months", 1, date(1978, 1, 17), date(1979, 7, 17), 1, Fraction(6, 12)),
]


@pytest.mark.parametrize(("_", "per_year", "advance", "due", "whole", "odd"), COUNTED)
def test_unit_periods(
    _: str, per_year: int, advance: date, due: date, whole: int, odd: Fraction
) -> None:
    """Whole periods are counted back from the payment; what is left is a part of one."""
    assert unit_periods(advance, due, per_year) == (whole, pytest.approx(float(odd)))


def test_one_payment() -> None:
    """The term is the unit period: in days of 365, or in whole months."""
    assert single_period(date(1978, 1, 3), date(1978, 9, 15)) == (365 / 255, 1, 0.0)
    assert single_period(date(1978, 7, 15), date(1979, 1, 15)) == (2.0, 1, 0.0)
