"""The contract's terms decide everything that follows; they are checked once, when they arrive."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum

import msgspec

from services.ledger.domain.refusals import TermsInvalid
from shared.kernel.dates import DayCount
from shared.kernel.money import Rounding, minor_digits

PRINCIPAL_MINOR_MAX = 10**13
INSTALMENTS_MAX = 480


class RepaymentMethod(StrEnum):
    """How principal and interest are spread over the instalments."""

    LEVEL_INSTALMENT = "LEVEL_INSTALMENT"
    EQUAL_PRINCIPAL = "EQUAL_PRINCIPAL"
    INTEREST_ONLY = "INTEREST_ONLY"
    BULLET = "BULLET"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """One contract: amounts in minor units of `currency`, rates as fractions of one per year."""

    currency: str
    principal_minor: int
    rate_annual: Decimal
    method: RepaymentMethod
    day_count: DayCount
    instalments: int
    months_per_instalment: int
    first_due_on: date
    grace_days: int
    penalty_rate_annual: Decimal
    rounding: Rounding = Rounding.HALF_EVEN


def check_terms(terms: Terms) -> None:
    """
    Accept only terms that the schedule can be computed from.

    Raises:
        TermsInvalid: naming the field and its range.
        CurrencyUnknown: the currency has no known minor unit.
    """
    minor_digits(terms.currency)
    ranges: list[tuple[str, int | Decimal, int, int]] = [
        ("principal_minor", terms.principal_minor, 1, PRINCIPAL_MINOR_MAX),
        ("rate_annual", terms.rate_annual, 0, 1),
        ("instalments", terms.instalments, 1, INSTALMENTS_MAX),
        ("months_per_instalment", terms.months_per_instalment, 1, 12),
        ("grace_days", terms.grace_days, 0, 60),
        ("penalty_rate_annual", terms.penalty_rate_annual, 0, 1),
    ]
    for name, given, least, most in ranges:
        if not least <= given <= most:
            raise TermsInvalid(
                f"{name} is {given}", field=f"terms.{name}", expected=f"{least} to {most}"
            )
