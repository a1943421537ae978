"""Stages and allowances under the rules in force: edges, by hand, and what always holds."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.risk.adapters.artefacts import read_toml
from services.risk.config import HERE
from services.risk.domain.staging import (
    LossRules,
    Stage,
    WeightsDoNotAddUp,
    allowance,
    marginals,
    provision,
    scaled,
    stage_of,
)

RULES = msgspec.convert(read_toml(HERE / "policies" / "expected-loss-2026-12.toml"), LossRules)
D = Decimal

EDGES = [
    # days | now   | at origination | watched | impaired | stage
    (0, "0.02", "0.02", False, False, 1),
    (30, "0.02", "0.02", False, False, 1),
    (31, "0.02", "0.02", False, False, 2),
    (90, "0.02", "0.02", False, False, 2),
    (91, "0.02", "0.02", False, False, 3),
    (0, "0.0399", "0.02", False, False, 1),
    (0, "0.04", "0.02", False, False, 2),
    (0, "0.02", "0.02", True, False, 2),
    (0, "0.02", "0.02", False, True, 3),
    (0, "0", "0", False, False, 1),
]


@pytest.mark.parametrize(("days", "now", "then", "watched", "impaired", "stage"), EDGES)
def test_stages_at_their_edges(
    days: int, now: str, then: str, watched: bool, impaired: bool, stage: int
) -> None:
    """More than 30 days, a doubled probability or a watched loan is 2; more than 90 is 3."""
    found = stage_of(
        RULES, days, pd_now=D(now), pd_at_origination=D(then), watched=watched, impaired=impaired
    )

    assert found == stage


def test_scenarios_are_weighed_by_their_losses() -> None:
    """One month at 10 %, nothing discounted: each future's loss by hand, then weighed."""
    by_hand = (
        D("0.6") * D("0.45") * D("0.1")
        + D("0.3") * D("0.54") / 6
        + D("0.1") * D("0.405") * D("0.07") / D("0.97")
    )
    found = allowance(RULES, Stage.PERFORMING, exposures=[D(1)], pds=[D("0.1")], eir_month=D(0))

    assert abs(found - by_hand) < D("1e-20")
    base = msgspec.structs.replace(RULES.scenarios[0], weight=D(1))
    mean = msgspec.structs.replace(RULES, scenarios=(base,))
    assert found > allowance(
        mean, Stage.PERFORMING, exposures=[D(1)], pds=[D("0.1")], eir_month=D(0)
    )


def test_stage_one_counts_a_year_and_stage_two_a_life() -> None:
    """Over twelve months both are the same; beyond, only stage 2 goes on counting."""
    year, life = [D("0.01")] * 12, [D("0.01")] * 36

    def loss(stage: Stage, pds: list[Decimal]) -> Decimal:
        exposures = [D(100)] * len(pds)
        return allowance(RULES, stage, exposures=exposures, pds=pds, eir_month=D("0.01"))

    assert loss(Stage.PERFORMING, year) == loss(Stage.RISK_ROSE, year)
    assert loss(Stage.PERFORMING, life) == loss(Stage.PERFORMING, year)
    assert loss(Stage.RISK_ROSE, life) > loss(Stage.RISK_ROSE, year)
    assert loss(Stage.IMPAIRED, life) > loss(Stage.RISK_ROSE, life)


def test_provisions_by_tier() -> None:
    """A table per scheme: a quarter of a substandard loan."""
    assert provision(RULES, "five_tier", "SUBSTANDARD", 10_000) == 2_500


def test_weights_add_up() -> None:
    """The rules in force are whole; weights that are not are refused."""
    RULES.check()
    with pytest.raises(WeightsDoNotAddUp):
        msgspec.structs.replace(RULES, scenarios=RULES.scenarios[:2]).check()


_probability = st.decimals(0, 1, places=4)


@given(st.lists(_probability, min_size=1, max_size=40), st.sampled_from(list(Stage)[:2]))
def test_an_allowance_lies_between_nothing_and_everything(pds: list[Decimal], stage: Stage) -> None:
    """Never below zero, never above what is owed; more risk in any month is never less loss."""
    exposures = [D(1000)] * len(pds)

    def loss(hazards: list[Decimal]) -> Decimal:
        return allowance(RULES, stage, exposures=exposures, pds=hazards, eir_month=D(0))

    assert 0 <= loss(pds) <= 1000
    riskier = [max(pds[0], D("0.5")), *pds[1:]]
    assert loss(riskier) >= loss(pds) - D("1e-15")
    assert sum(marginals(pds)) <= 1 + D("1e-20")


@given(_probability, st.decimals("0.1", 10, places=2))
def test_scaled_odds_stay_probabilities(probability: Decimal, times: Decimal) -> None:
    """Odds times any factor is still between 0 and 1, and once is itself."""
    assert 0 <= scaled(probability, times) <= 1
    assert scaled(probability, D(1)) == probability
