"""A card is watched: chance alone raises no alarm, a shifted crowd and a broken promise do."""

from __future__ import annotations

import random
from math import exp, log

import msgspec
import pytest

from services.risk.adapters.artefacts import read_models, read_populations, read_toml
from services.risk.config import RiskSettings
from services.risk.domain.monitoring import (
    Calibrated,
    Light,
    MonitoringRules,
    calibrated,
    calibration,
    drift,
    performance,
    psi_critical,
)
from services.risk.domain.population import population_of, with_population
from services.risk.training.datasets import german

SETTINGS = RiskSettings()
RULES = msgspec.convert(read_toml(SETTINGS.monitoring_file), MonitoringRules)
CARD = read_models(SETTINGS.model_folder).card("german-woe/2")
TERM = next(item for item in CARD.characteristics if item.name == "duration_in_month")
TERMS = german().values["duration_in_month"].tolist()


def test_the_critical_value_is_that_of_chi_squared() -> None:
    """95 % of chi-squared with 9 degrees is 16.92; two samples of 1,000 may differ by 0.0338."""
    assert psi_critical(1_000, 1_000, 10) == pytest.approx(2 * 16.919 / 1_000, rel=2e-3)


def test_the_crowd_that_it_was_trained_on_is_green() -> None:
    """All applicants of the training data show no drift, and forty drawn of them none by chance."""
    everybody = drift(TERM, TERMS, 1_000, RULES)
    some = drift(TERM, random.Random(4).sample(TERMS, 40), 1_000, RULES)

    assert everybody.figure < 0.001
    assert (everybody.light, some.light) == (Light.GREEN, Light.GREEN)


def test_another_crowd_is_red() -> None:
    """Applicants who all want five years, or say nothing at all, are another population."""
    assert drift(TERM, ["60"] * 500, 1_000, RULES).light is Light.RED
    assert drift(TERM, [""] * 500, 1_000, RULES).light is Light.RED


def test_a_card_that_does_not_say_whom_it_was_trained_on_is_watched_all_the_same() -> None:
    """What is kept beside german-woe/1 is what its data count to; its own file is as it was."""
    models, data = read_models(SETTINGS.model_folder), german()
    card, kept = models.card("german-woe/1"), read_populations(SETTINGS.model_folder)
    watched = with_population(card, kept["german-woe/1"])
    term = next(item for item in watched.characteristics if item.name == "duration_in_month")

    assert card.origin is None
    assert population_of(card, data.origin(), data.applicants()) == kept["german-woe/1"]
    assert with_population(CARD, kept["german-woe/1"]) == CARD
    assert all(
        abs(sum(one.share for one in item.bins) - 1) < 0.001 for item in watched.characteristics
    )
    assert drift(term, TERMS, 1_000, RULES).figure < 0.001
    assert drift(term, ["60"] * 500, 1_000, RULES).light is Light.RED


def said_and_seen(slope: float, count: int = 4_000) -> tuple[list[float], list[bool]]:
    """Return probabilities, and outcomes whose log odds are `slope` times those said."""
    chance = random.Random(7)
    said = [chance.uniform(0.02, 0.6) for _ in range(count)]
    seen = [chance.random() < 1 / (1 + exp(-slope * log(p / (1 - p)))) for p in said]
    return said, seen


def test_a_card_that_says_too_much_of_everybody_is_red() -> None:
    """Half as many bads as were said is red; what an honest card says is not."""
    said, seen = said_and_seen(1.0)
    half = [was and place % 2 == 0 for place, was in enumerate(seen)]
    honest, boastful = (
        next(one for one in performance(said, bads, 0.7, RULES) if one.name == "said less seen")
        for bads in (seen, half)
    )
    before = msgspec.structs.replace(RULES, said_errors_amber=None, said_errors_red=None)

    assert (honest.light, boastful.light) == (Light.GREEN, Light.RED)
    assert boastful.figure == pytest.approx(sum(said) / len(said) - sum(half) / len(half))
    assert not [one for one in performance(said, half, 0.7, before) if one.bound == boastful.bound]


def test_calibration_finds_the_slope_it_was_given() -> None:
    """Honest probabilities have slope 1 and intercept 0; boastful ones half the slope."""
    honest, boastful = calibration(*said_and_seen(1.0)), calibration(*said_and_seen(0.5))

    assert honest == pytest.approx((0, 1), abs=0.1)
    assert boastful[1] == pytest.approx(0.5, abs=0.1)


def test_who_is_told_the_same_is_in_no_order() -> None:
    """Of forty loans of which 30 % was said twelve turned bad: every group shows what was said."""
    seen = [place < 12 for place in range(40)]

    assert calibrated([0.3] * 40, seen) == (
        Calibrated(loans=20, said=pytest.approx(0.3), seen=pytest.approx(0.3)),
        Calibrated(loans=20, said=pytest.approx(0.3), seen=pytest.approx(0.3)),
    )


def lights(slope: float, auc_before: float, count: int = 4_000) -> dict[str, Light]:
    found = performance(*said_and_seen(slope, count), auc_before, RULES)
    return {one.name: one.light for one in found}


def test_a_fall_is_seen_and_few_bads_say_nothing() -> None:
    """Below expectation by .06 of AUC, or a slope off by .4, is red; with few bads nothing is."""
    fine = lights(1.0, 0.72)

    assert (fine["auc"], fine["calibration slope"]) == (Light.GREEN, Light.GREEN)
    assert lights(1.0, 0.95)["auc"] is Light.RED
    assert lights(0.4, 0.60)["calibration slope"] is Light.RED
    assert set(lights(0.4, 0.95, count=30).values()) == {Light.UNJUDGED}
    assert performance([0.1, 0.2], [False, False], 0.7, RULES) == []


def test_what_is_held_against_nothing_is_not_green() -> None:
    """KS, Brier score and intercept are shown without a bound and without a light."""
    found = {one.name: one for one in performance(*said_and_seen(1.0), 0.72, RULES)}

    for name in ("ks", "brier", "calibration intercept"):
        assert (found[name].bound, found[name].light) == (None, Light.UNJUDGED)
