"""Money is exact: integer minor units of one currency, and one named rounding rule."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal
from enum import StrEnum
from fractions import Fraction

from shared.kernel.errors import InvalidArgument

AMOUNT_MINOR_MAX = 10**15
"""No single amount is above ten trillion major units; larger is a typing error."""

_MINOR_DIGITS = {"CNY": 2, "EUR": 2, "USD": 2, "GBP": 2, "INR": 2, "DEM": 2, "JPY": 0, "BHD": 3}
_PLAIN_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,12})?")


class CurrencyUnknown(InvalidArgument):
    """The currency is not one that this ledger keeps minor units for."""


class DecimalNotPlain(InvalidArgument):
    """The text is not a plain decimal number such as 0.0725."""


class AmountTooPrecise(InvalidArgument):
    """The amount has more decimals than its currency has minor units."""


class AmountTooLarge(InvalidArgument):
    """The amount is above the largest that one fact may carry."""


class Rounding(StrEnum):
    """How a fraction of a minor unit is rounded; named in the contract's terms."""

    HALF_EVEN = "HALF_EVEN"
    HALF_UP = "HALF_UP"
    HALF_DOWN = "HALF_DOWN"
    UP = "UP"


HALF_EVEN, HALF_UP, HALF_DOWN, UP = Rounding
# By these names every interest is rounded: a member of its enum takes nine times as long.

_DECIMAL_MODE = {
    Rounding.HALF_EVEN: ROUND_HALF_EVEN,
    Rounding.HALF_UP: ROUND_HALF_UP,
    Rounding.HALF_DOWN: ROUND_HALF_DOWN,
    Rounding.UP: ROUND_UP,
}


_WHOLE = Decimal(1)


def round_minor(
    amount: Decimal | Fraction, rounding: Rounding = HALF_EVEN, multiple: int = 1
) -> int:
    """
    Round an amount in minor units to a whole minor unit; money is rounded here and nowhere else.

    Args:
        amount: Minor units, possibly fractional.
        rounding: The contract's rounding mode.
        multiple: Round to whole multiples of this many minor units.
    Returns:
        Whole minor units.
    """
    if isinstance(amount, Fraction):
        return round_ratio(amount.numerator, amount.denominator, rounding, multiple)
    whole = (amount / multiple).quantize(_WHOLE, rounding=_DECIMAL_MODE[rounding])
    return int(whole) * multiple


def round_ratio(
    numerator: int, denominator: int, rounding: Rounding = HALF_EVEN, multiple: int = 1
) -> int:
    """
    Round a ratio as `round_minor` rounds the fraction, which need not be in lowest terms.

    Args:
        numerator: Of the amount in minor units.
        denominator: Above zero.
        rounding: See `round_minor`.
        multiple: See there.
    Returns:
        Whole minor units.
    """
    over = denominator * multiple
    whole, rest = divmod(abs(numerator), over)
    twice = 2 * rest
    if rounding is UP:
        more = rest > 0
    else:
        tie_up = rounding is HALF_UP or (rounding is HALF_EVEN and whole % 2 == 1)
        more = twice > over or (twice == over and tie_up)
    rounded = (whole + 1 if more else whole) * multiple
    return rounded if numerator >= 0 else -rounded


def minor_digits(currency: str) -> int:
    """
    Return the number of decimals of a currency's minor unit.

    Raises:
        CurrencyUnknown: `currency` is not a known ISO 4217 code.
    """
    if currency not in _MINOR_DIGITS:
        raise CurrencyUnknown(
            f"currency {currency!r} is not known",
            field="currency",
            expected="one of " + ", ".join(sorted(_MINOR_DIGITS)),
        )
    return _MINOR_DIGITS[currency]


def plain_decimal(text: str, *, field: str) -> Decimal:
    """
    Read a plain decimal number: ASCII digits, at most one point, no exponent, NaN or infinity.

    Raises:
        DecimalNotPlain: anything else, such as "NaN", "1e400", "1_000" or non-ASCII digits.
    """
    if not text.isascii() or not _PLAIN_DECIMAL.fullmatch(text):
        raise DecimalNotPlain(
            f"{text[:40]!r} is not a plain decimal number", field=field, expected="such as 0.0725"
        )
    return Decimal(text)


def parse_amount(text: str, currency: str, *, field: str = "amount") -> int:
    """
    Read an amount in major units, such as "350.00", as minor units, such as 35000.

    Raises:
        DecimalNotPlain: the text is not a plain decimal.
        AmountTooPrecise: more decimals than the currency has.
        AmountTooLarge: above AMOUNT_MINOR_MAX.
    """
    minor = plain_decimal(text, field=field).scaleb(minor_digits(currency))
    if minor != minor.to_integral_value():
        raise AmountTooPrecise(
            f"{text} has more decimals than {currency} has minor units",
            field=field,
            expected=f"at most {minor_digits(currency)} decimals",
        )
    if abs(minor) > AMOUNT_MINOR_MAX:
        raise AmountTooLarge(
            f"{text} {currency} is too large", field=field, expected=f"<= {AMOUNT_MINOR_MAX} minor"
        )
    return int(minor)


def format_amount(amount_minor: int, currency: str) -> str:
    """Write minor units as people read them: 970000 CNY -> 9,700.00."""
    digits = minor_digits(currency)
    return f"{Decimal(amount_minor).scaleb(-digits):,.{digits}f}"
