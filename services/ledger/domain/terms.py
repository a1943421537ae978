"""The contract's terms decide everything that follows; they are checked once, when they arrive."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import Any

import msgspec

from services.ledger.domain.policies import CN_CONSUMER, DelinquencyPolicy
from services.ledger.domain.refusals import TermsInvalid
from services.ledger.domain.waterfall import OLDEST_FIRST, Waterfall
from shared.kernel.calendars import BusinessDayRule, calendar_named
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
    FLAT = "FLAT"
    AGREED = "AGREED"


class Overpayment(StrEnum):
    """What happens to money above everything owed."""

    REFUSE = "REFUSE"
    CREDIT = "CREDIT"


class ShortMonth(StrEnum):
    """Where a due date goes in a month that has no such day."""

    LAST_DAY = "LAST_DAY"
    FIRST_OF_NEXT = "FIRST_OF_NEXT"


class FirstPeriod(StrEnum):
    """How the first period of a plan counts with PERIOD_360, whose other periods are whole."""

    WHOLE = "WHOLE"
    MONTHS_AND_DAYS = "MONTHS_AND_DAYS"


class Prepayment(StrEnum):
    """What money beyond the next due instalment does to the instalments that remain."""

    HOLD = "HOLD"
    SHORTEN = "SHORTEN"
    REDUCE = "REDUCE"


class Restructuring(StrEnum):
    """What kind of change a new plan is."""

    RESCHEDULE = "RESCHEDULE"
    EXTENSION = "EXTENSION"
    RATE_CHANGE = "RATE_CHANGE"
    PAYMENT_HOLIDAY = "PAYMENT_HOLIDAY"
    RE_AGE = "RE_AGE"
    RE_AMORTISE = "RE_AMORTISE"


class Terms(
    msgspec.Struct, frozen=True, cache_hash=True, kw_only=True, omit_defaults=True, gc=False
):
    """
    One contract: amounts in minor units of `currency`, rates as fractions of one per year.

    `months_per_instalment` or else `days_per_instalment` is above zero; `due_day` 0 is the day of
    `first_due_on`, 31 the month's end; `short_month` says where it goes in a month without it;
    `due_dates`, when given, are the agreed dates themselves. `first_period` says whether the first
    period of this plan, and of each later one, counts as whole whatever its days.
    With AGREED `agreed` gives each instalment's principal and interest. A due date that the
    business day rule moves ends its period where it moves to. `fees_elsewhere_minor` is what the
    borrower pays to others for this loan, such as a guarantee fee; it counts in the ceiling.
    `concluded_on` is the contract's date, by which the ceiling is chosen; without it the payout's.
    `penalty_on_interest` lets overdue interest bear the penalty rate too (复利); with
    `penalty_from_grace` the days of grace bear none even when grace has passed. The borrower owes
    `prepayment_fee_rate` of principal that is paid before it is due.
    """

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
    days_per_instalment: int = 0
    due_day: int = 0
    short_month: ShortMonth = ShortMonth.LAST_DAY
    due_dates: tuple[date, ...] = ()
    agreed: tuple[tuple[int, int], ...] = ()
    interest_from: date | None = None
    disbursements_max: int = 1
    down_payment_rate: Decimal = Decimal(0)
    principal_grace_instalments: int = 0
    interest_grace_instalments: int = 0
    interest_free_instalments: int = 0
    instalment_multiple_minor: int = 1
    even_out_last: bool = False
    calendar: str = ""
    business_day_rule: BusinessDayRule = BusinessDayRule.NONE
    cost_ceiling: str = ""
    fees_elsewhere_minor: int = 0
    penalty_on_interest: bool = False
    penalty_from_grace: bool = False
    waterfall: Waterfall = OLDEST_FIRST
    overpayment: Overpayment = Overpayment.REFUSE
    prepayment: Prepayment = Prepayment.HOLD
    prepayment_fee_rate: Decimal = Decimal(0)
    rebate_unearned: bool = True
    delinquency: DelinquencyPolicy = CN_CONSUMER
    posting_policy: str = "cash/1"
    concluded_on: date | None = None
    first_period: FirstPeriod = FirstPeriod.WHOLE


PLANNED_AGAIN: dict[str, Any] = {
    "interest_from": None,
    "down_payment_rate": Decimal(0),
    "principal_grace_instalments": 0,
    "interest_grace_instalments": 0,
    "interest_free_instalments": 0,
}
"""What belonged to the beginning of a contract, and is over when its rest is planned again."""

ANY_DAY: dict[str, Any] = {"due_day": 0, "short_month": ShortMonth.LAST_DAY}
"""The day of the month is that of a first due date that is given."""


def check_terms(terms: Terms) -> None:
    """
    Accept only terms that the schedule can be computed from.

    Raises:
        TermsInvalid: naming the field and its range.
        CurrencyUnknown: the currency has no known minor unit.
    """
    minor_digits(terms.currency)
    months_least = 0 if terms.days_per_instalment else 1
    ranges: list[tuple[str, int | Decimal, int | Decimal, int | Decimal]] = [
        ("principal_minor", terms.principal_minor, 1, PRINCIPAL_MINOR_MAX),
        ("rate_annual", terms.rate_annual, 0, 1),
        ("instalments", terms.instalments, 1, INSTALMENTS_MAX),
        ("months_per_instalment", terms.months_per_instalment, months_least, 12),
        ("days_per_instalment", terms.days_per_instalment, 0, 366),
        ("grace_days", terms.grace_days, 0, 60),
        ("penalty_rate_annual", terms.penalty_rate_annual, 0, 1),
        ("due_day", terms.due_day, 0, 31),
        ("prepayment_fee_rate", terms.prepayment_fee_rate, 0, Decimal("0.1")),
        ("disbursements_max", terms.disbursements_max, 1, 100),
        ("down_payment_rate", terms.down_payment_rate, 0, Decimal("0.99")),
        (
            "principal_grace_instalments",
            terms.principal_grace_instalments,
            0,
            terms.instalments - 1,
        ),
        ("interest_grace_instalments", terms.interest_grace_instalments, 0, terms.instalments - 1),
        ("interest_free_instalments", terms.interest_free_instalments, 0, terms.instalments),
        ("fees_elsewhere_minor", terms.fees_elsewhere_minor, 0, terms.principal_minor - 1),
        ("instalment_multiple_minor", terms.instalment_multiple_minor, 1, 10**9),
    ]
    for name, given, least, most in ranges:
        if not least <= given <= most:
            raise TermsInvalid(
                f"{name} is {given}", field=f"terms.{name}", expected=f"{least} to {most}"
            )
    _check_dates(terms)


def _check_dates(terms: Terms) -> None:
    """Refuse dates that contradict one another."""
    if terms.months_per_instalment and terms.days_per_instalment:
        raise TermsInvalid(
            "the period is given twice",
            field="terms.days_per_instalment",
            expected="either months_per_instalment or days_per_instalment",
        )
    if terms.short_month is not ShortMonth.LAST_DAY and terms.due_day == 0:
        raise TermsInvalid(
            "a short month asks for a day of the month",
            field="terms.short_month",
            expected="LAST_DAY, or a due_day above zero",
        )
    by_months = terms.day_count is DayCount.PERIOD_360 and terms.months_per_instalment
    if terms.first_period is not FirstPeriod.WHOLE and not by_months:
        raise TermsInvalid(
            "every other contract counts the days of its first period",
            field="terms.first_period",
            expected="WHOLE, or PERIOD_360 with months_per_instalment",
        )
    if terms.business_day_rule is not BusinessDayRule.NONE:
        calendar_named(terms.calendar)
    _check_agreed(terms)


def _check_agreed(terms: Terms) -> None:
    """Refuse agreed dates and amounts that are not a whole plan."""
    dates = terms.due_dates
    if (terms.method is RepaymentMethod.AGREED) != (len(dates) == len(terms.agreed) > 0):
        raise TermsInvalid(
            f"{len(terms.agreed)} amounts are agreed for {len(dates)} dates",
            field="terms.agreed",
            expected="principal and interest per due date, with the method AGREED only",
        )
    if terms.agreed and terms.prepayment is not Prepayment.HOLD:
        raise TermsInvalid(
            "agreed amounts are not planned again",
            field="terms.prepayment",
            expected="HOLD with the method AGREED",
        )
    if terms.agreed and (terms.disbursements_max > 1 or terms.down_payment_rate):
        raise TermsInvalid(
            "agreed amounts are those of the whole principal, paid out at once",
            field="terms.agreed",
            expected="one disbursement and no down payment with the method AGREED",
        )
    if terms.agreed and sum(p for p, _ in terms.agreed) != terms.principal_minor:
        raise TermsInvalid(
            "the agreed principal does not sum to the principal",
            field="terms.agreed",
            expected=str(terms.principal_minor),
        )
    equal_too = terms.method is RepaymentMethod.AGREED
    rising = all(a < b or (equal_too and a == b) for a, b in pairwise(dates))
    if dates and not (
        rising and dates[0] == terms.first_due_on and len(dates) == terms.instalments
    ):
        raise TermsInvalid(
            f"{len(dates)} due dates are given",
            field="terms.due_dates",
            expected="one per instalment, rising, the first being first_due_on",
        )
