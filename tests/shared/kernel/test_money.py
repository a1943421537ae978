"""Money is exact and bad numbers are refused with a reason."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import LendingError
from shared.kernel.money import (
    Rounding,
    format_amount,
    parse_amount,
    plain_decimal,
    round_ratio,
)

REFUSED = [
    # text        | reason
    ("NaN", "DECIMAL_NOT_PLAIN"),
    ("Infinity", "DECIMAL_NOT_PLAIN"),
    ("1e400", "DECIMAL_NOT_PLAIN"),
    ("1_000", "DECIMAL_NOT_PLAIN"),
    ("١٢٣", "DECIMAL_NOT_PLAIN"),
    ("", "DECIMAL_NOT_PLAIN"),
    ("1.005", "AMOUNT_TOO_PRECISE"),
    ("99999999999999999", "AMOUNT_TOO_LARGE"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_a_bad_amount_is_refused_with_its_reason(text, reason):
    """What is not a plain amount of the currency is refused, and the field is named."""
    with pytest.raises(LendingError) as refusal:
        parse_amount(text, "CNY")

    assert (refusal.value.reason, refusal.value.field) == (reason, "amount")


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_an_amount_survives_writing_and_reading(amount_minor):
    """What is written for people reads back as the same minor units."""
    text = format_amount(amount_minor, "CNY").replace(",", "")

    assert parse_amount(text, "CNY") == amount_minor


@given(st.integers(-(10**13), 10**13), st.integers(1, 10**6), st.integers(1, 10**40))
def test_a_ratio_need_not_be_reduced(numerator, denominator, times):
    """Half a minor unit goes to the even one, whatever both parts were multiplied by."""
    rounded = round_ratio(numerator * times, denominator * times)

    assert rounded == round(Fraction(numerator, denominator))


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounding", "multiple", "rounded"),
    [
        # of       | over   | rounding            | multiple | rounded
        (5, 2, Rounding.HALF_EVEN, 1, 2),
        (-5, 2, Rounding.HALF_EVEN, 1, -2),
        (5, 2, Rounding.HALF_UP, 1, 3),
        (-5, 2, Rounding.HALF_UP, 1, -3),
        (5, 2, Rounding.HALF_DOWN, 1, 2),
        (-5, 2, Rounding.HALF_DOWN, 1, -2),
        (9, 4, Rounding.UP, 1, 3),
        (-9, 4, Rounding.UP, 1, -3),
        (150, 1, Rounding.HALF_EVEN, 100, 200),
        (250, 1, Rounding.HALF_EVEN, 100, 200),
        (5 * 10**40 + 1, 10**40, Rounding.UP, 1, 6),
        (25 * 10**39 + 1, 10**40, Rounding.HALF_EVEN, 1, 3),
    ],
)
def test_a_ratio_is_rounded_exactly(numerator, denominator, rounding, multiple, rounded):
    """By the contract's mode, away from zero alike; however little is beyond the half."""
    assert round_ratio(numerator, denominator, rounding, multiple) == rounded


def test_an_unknown_currency_is_refused():
    """A currency without known minor units is refused."""
    with pytest.raises(LendingError) as refusal:
        parse_amount("1.00", "XXX")

    assert refusal.value.reason == "CURRENCY_UNKNOWN"


def test_a_rate_is_read_exactly():
    """A rate is a decimal string and keeps every digit."""
    assert str(plain_decimal("0.0725", field="rate_annual")) == "0.0725"
