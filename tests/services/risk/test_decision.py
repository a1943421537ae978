"""Rules and score as a table: who is approved, who is not, and why."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from services.risk.adapters import training
from services.risk.domain.decision import decide
from services.risk.domain.policy import Application, Policy
from services.risk.domain.scorecard import Scorecard, probability_of_default
from services.risk.entrypoints.cli import DATA, HERE

CARD = msgspec.json.decode((HERE / "models" / "german-woe-1.json").read_bytes(), type=Scorecard)
POLICY = Policy(
    version="test/1",
    age_years_min=18,
    age_years_max=75,
    amount_minor_min=10_000,
    amount_minor_max=20_000_000,
    purposes_excluded=("securities",),
    debt_service_ratio_max=Decimal("0.55"),
    other_lenders_max=4,
    enquiries_30d_max=8,
    probability_of_default_declined_from=Decimal("0.55"),
    probability_of_default_referred_from=Decimal("0.48"),
)
GOOD = training.read_rows(DATA)[0]
SOUND = Application(
    application_id="A-1",
    product="consumer-2026",
    currency="CNY",
    amount_minor=100_000,
    instalments=6,
    monthly_income_minor=100_000,
    monthly_debt_payments_minor=0,
    monthly_instalment_minor=17_000,
    other_lenders=0,
    enquiries_30d=1,
    age_years=30,
    attributes=GOOD,
)

TABLE = [
    # what is different              | outcome     | first reason
    ({}, "APPROVED", None),
    ({"age_years": 17}, "DECLINED", "AGE_OUT_OF_RANGE"),
    ({"age_years": 18}, "APPROVED", None),
    ({"age_years": 75}, "APPROVED", None),
    ({"age_years": 76}, "DECLINED", "AGE_OUT_OF_RANGE"),
    ({"amount_minor": 9_999}, "DECLINED", "AMOUNT_OUT_OF_RANGE"),
    ({"amount_minor": 10_000}, "APPROVED", None),
    ({"amount_minor": 20_000_000}, "APPROVED", None),
    ({"amount_minor": 20_000_001}, "DECLINED", "AMOUNT_OUT_OF_RANGE"),
    ({"attributes": {**GOOD, "purpose": "securities"}}, "DECLINED", "PURPOSE_EXCLUDED"),
    ({"monthly_debt_payments_minor": 38_000}, "APPROVED", None),
    ({"monthly_debt_payments_minor": 38_001}, "DECLINED", "DEBT_SERVICE_TOO_HIGH"),
    ({"monthly_income_minor": 0}, "DECLINED", "DEBT_SERVICE_TOO_HIGH"),
    ({"other_lenders": 4}, "APPROVED", None),
    ({"other_lenders": 5}, "DECLINED", "TOO_MANY_LENDERS"),
    ({"enquiries_30d": 9}, "DECLINED", "TOO_MANY_ENQUIRIES"),
]


@pytest.mark.parametrize(("different", "outcome", "reason"), TABLE)
def test_rules_decline_at_their_edges(
    different: dict[str, object], outcome: str, reason: str | None
) -> None:
    """A rule declines just beyond its bound, and is the first reason given."""
    decision = decide(msgspec.structs.replace(SOUND, **different), POLICY, CARD)

    assert str(decision.outcome) == outcome
    assert reason is None or decision.reasons[0].code == reason
    assert 1 <= len(decision.reasons) <= 4


def test_points_double_the_odds() -> None:
    """Twenty points more are half the odds of default; the anchor is 20 to 1 at 600."""
    assert probability_of_default(CARD, 600) == Decimal("0.0476")
    assert probability_of_default(CARD, 620) == Decimal("0.0244")


def test_training_again_gives_the_card_in_use() -> None:
    """The committed scorecard is what the command makes of the committed data."""
    card = training.train(training.read_rows(DATA), version="german-woe/1")

    assert card == CARD


def test_no_protected_attribute_is_scored() -> None:
    """Sex, marital status, age and nationality earn no points."""
    names = {item.name for item in CARD.characteristics}

    assert names.isdisjoint({"personal_status_and_sex", "age_in_years", "foreign_worker"})
