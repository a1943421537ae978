"""Figures that others published, computed by the schedule, the day counts and the buckets."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from services.ledger.domain.policies import FIVE_TIER
from services.ledger.domain.schedule import schedule
from services.ledger.domain.terms import RepaymentMethod, Terms
from shared.kernel.dates import DayCount, days_thirty_360

LEVEL = [
    # principal | rate      | months | level instalment | published by
    (162_000, "0.03875", 360, 76178),  # CFPB, form H-25(B)
    (50_000, "0.12", 360, 51431),  # Portico, delinquency scenarios
    (630_000, "0.049", 360, 334358),  # Chinese bank example, 63万 over 30 years
    (1_000_000, "0.049", 240, 654444),  # Chinese bank example, 100万 over 20 years
]
THIRTY_360 = [
    ("2006-08-20", "2007-02-20", 180),
    ("2007-02-28", "2007-08-31", 183),
    ("2007-08-31", "2008-02-29", 179),
]
FIVE_TIERS = [
    # 正常, 关注, 次级, 可疑, 损失 by days past due: Order 2023-1, article 10
    (0, "NORMAL"),
    (1, "SPECIAL_MENTION"),
    (90, "SPECIAL_MENTION"),
    (91, "SUBSTANDARD"),
    (270, "SUBSTANDARD"),
    (271, "DOUBTFUL"),
    (360, "DOUBTFUL"),
    (361, "LOSS"),
]


def monthly(principal: int, rate: str, months: int, method: RepaymentMethod) -> Terms:
    return Terms(
        currency="CNY",
        principal_minor=principal * 100,
        rate_annual=Decimal(rate),
        method=method,
        day_count=DayCount.THIRTY_360,
        instalments=months,
        months_per_instalment=1,
        first_due_on=date(2026, 2, 1),
        grace_days=0,
        penalty_rate_annual=Decimal(0),
    )


@pytest.mark.parametrize(("principal", "rate", "months", "level_minor"), LEVEL)
def test_level_instalments(principal: int, rate: str, months: int, level_minor: int) -> None:
    """The first instalment is the published level instalment, to the cent."""
    terms = monthly(principal, rate, months, RepaymentMethod.LEVEL_INSTALMENT)

    first = schedule(terms, date(2026, 1, 1))[0]

    assert first.principal_due_minor + first.interest_due_minor == level_minor


def test_equal_principal() -> None:
    """630,000 over 30 years at 4.9 %: 4,322.50 first, 7.15 less each month, 464,336.25 in all."""
    terms = monthly(630_000, "0.049", 360, RepaymentMethod.EQUAL_PRINCIPAL)

    rows = schedule(terms, date(2026, 1, 1))

    totals = [row.principal_due_minor + row.interest_due_minor for row in rows]
    assert totals[0] == 432_250
    assert abs((totals[0] - totals[1]) - 715) <= 1
    assert abs(sum(row.interest_due_minor for row in rows) - 46_433_625) <= 180


@pytest.mark.parametrize(("start", "end", "days"), THIRTY_360)
def test_thirty_360(start: str, end: str, days: int) -> None:
    """Bond basis as in the ISDA examples."""
    assert days_thirty_360(date.fromisoformat(start), date.fromisoformat(end)) == days


@pytest.mark.parametrize(("days", "tier"), FIVE_TIERS)
def test_five_tiers(days: int, tier: str) -> None:
    """The floor of the classification moves one day after each bound."""
    assert FIVE_TIER.bucket(days) == tier
