"""Models are what the command makes of the data, look at nothing protected, and are measured."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from services.risk.adapters.artefacts import read_models
from services.risk.config import RiskSettings
from services.risk.domain.boosted_trees import probability_bad
from services.risk.domain.discrimination import OneOutcomeOnly, quality
from services.risk.domain.fairness import groups
from services.risk.entrypoints.training_desk import APPROVED_BELOW, VERSIONS
from services.risk.training.bins import MISSING, classes_of
from services.risk.training.champion import fit, train_scorecard
from services.risk.training.datasets import BLOAN, GERMAN, bloan, german, put_together
from services.risk.training.model_card import fairness, model_card
from services.risk.training.protocol import (
    FOLDS,
    MODELS,
    champion,
    interval,
    paired,
    stratified,
    try_model,
)

IN_FORCE = read_models(RiskSettings().model_folder)
DATA = german()
with_training = pytest.mark.skipif(
    importlib.util.find_spec("lightgbm") is None, reason="needs `make training`"
)


def test_training_again_gives_the_card_in_use() -> None:
    """The committed scorecard is what the command makes of the committed data, to the byte."""
    card = train_scorecard(DATA, "german-woe/2")

    assert msgspec.json.encode(card) == msgspec.json.encode(IN_FORCE.card("german-woe/2"))


@with_training
def test_training_again_gives_the_trees_in_use() -> None:
    """The committed challenger is what LightGBM makes of the data, and walks as LightGBM does."""
    import lightgbm

    from services.risk.training.challenger import ROUNDS, inputs, settings_for, train_trees

    committed = IN_FORCE.trees["german-trees/1"]
    again = train_trees(DATA, "german-trees/1")
    x = inputs(DATA, again.features)
    sample = lightgbm.Dataset(x, DATA.bad.astype(float))
    booster = lightgbm.train(settings_for(DATA), sample, ROUNDS)
    said = np.array([probability_bad(committed, given) for given in DATA.applicants()])

    assert np.abs(said - booster.predict(x)).max() < 1e-9
    assert again == committed


def test_no_protected_attribute_is_scored() -> None:
    """Sex, marital status, age and nationality earn no points, in no model."""
    protected = {"personal_status_and_sex", "age_in_years", "foreign_worker"}
    for card in IN_FORCE.cards.values():
        assert protected.isdisjoint(item.name for item in card.characteristics)
    for trees in IN_FORCE.trees.values():
        assert protected.isdisjoint(item.name for item in trees.features)


def test_every_model_says_where_it_comes_from() -> None:
    """A model names its data, licence and what was kept from it."""
    for model in (IN_FORCE.card("german-woe/2"), IN_FORCE.trees["german-trees/1"]):
        origin = model.origin
        assert origin is not None
        assert (origin.licence, origin.sha256) == ("CC BY 4.0", DATA.sha256)
        assert (origin.applications, origin.bads) == (1000, 300)
        assert "age_in_years" in origin.left_out


@pytest.mark.parametrize("name", ["duration_in_month", "credit_amount"])
def test_points_of_numbers_rise_or_fall_without_a_turn(name: str) -> None:
    """A longer term never earns more points than a shorter one; amounts go one way only."""
    card = IN_FORCE.card("german-woe/2")
    item = next(one for one in card.characteristics if one.name == name)
    points = [one.points for one in item.bins]

    assert points in (sorted(points), sorted(points, reverse=True))
    assert name != "duration_in_month" or points == sorted(points, reverse=True)


def test_the_champion_reaches_its_bars() -> None:
    """Held out, as served: AUC at least .785 and Brier at most .168 over 4 x 5 folds."""
    trial = try_model(DATA, "champion", champion)

    assert len(trial.qualities) == 4 * FOLDS
    assert trial.interval("auc").mean >= 0.785
    assert trial.interval("brier").mean <= 0.168
    report = fairness(DATA, trial, 0.48)
    assert set(report) == {"personal_status_and_sex", "age_in_years", "foreign_worker"}
    assert sum(one.count for one in report["age_in_years"]) == 1000


READ = """
    rev    | income | debrate || rev  | debrate | payments | income_left
    0.5    | 4999   | 0.2     || 0.5  | 0.2     | 1000     | 3999
    0.5    |        | 1142    || 0.5  |         | 1142     |
    0.5    | 0      | 984     || 0.5  |         | 984      | -984
    1778.0 | 4999   | 0.2     ||      | 0.2     | 1000     | 3999
"""


@pytest.mark.parametrize("line", READ.strip().splitlines()[1:])
def test_a_ratio_is_read_for_what_it_holds(line: str) -> None:
    """Without an income the ratio's column holds payments; use of 1,778 limits is an amount."""
    given, found = ([cell.strip() for cell in side.split("|")] for side in line.split("||"))
    row = dict(zip(("rev", "income", "debrate"), given, strict=True))
    read = put_together({**row, "due30": "1", "due60": "0", "due90": "2"})

    assert [read[name] for name in ("rev", "debrate", "payments", "income_left")] == found
    assert (read["late_times"], read["late_weight"]) == ("3", "7")


@with_training
def test_the_champion_reaches_its_bars_on_many_loans() -> None:
    """Held out, as served, 3 x 5 folds of bloan: AUC, Brier and calibration, protected left out."""
    trial = try_model(bloan(), "champion", champion)

    assert {column.name for column in BLOAN}.isdisjoint({"age", "marital"})
    assert len(trial.qualities) == 3 * FOLDS
    assert trial.interval("auc").mean >= 0.868
    assert trial.interval("brier").mean <= 0.0497
    assert trial.interval("calibration_error").mean <= 0.015
    assert abs(trial.interval("in_the_large").mean) <= 0.0025


def test_a_fold_learns_nothing_from_its_own_outcomes() -> None:
    """Outcomes of the held-out fold turned over change nothing of what is said about it."""
    folds = stratified(DATA.bad, seed=0)
    train, held = np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)
    turned = DATA.bad.copy()
    turned[held] = ~turned[held]
    before = train_scorecard(DATA.take(train), "x")
    after = train_scorecard(replace(DATA, bad=turned).take(train), "x")

    assert before == after


def test_a_scrambled_outcome_cannot_be_told() -> None:
    """On outcomes that mean nothing the protocol finds nothing: an AUC of about one half."""
    scrambled = replace(DATA, bad=np.random.default_rng(1).permutation(DATA.bad))

    assert 0.44 < try_model(scrambled, "champion", champion).interval("auc").mean < 0.56


def test_folds_hold_as_many_bads_each() -> None:
    """Each application is in one fold, each fold has 200 of them and 60 bads."""
    folds = stratified(DATA.bad, seed=3)

    assert np.bincount(folds).tolist() == [200] * 5
    assert np.bincount(folds, weights=DATA.bad).tolist() == [60] * 5


def test_quality_of_known_answers() -> None:
    """Perfect, useless and reversed probabilities; ties count half, and are in no order."""
    perfect = quality([0.0, 0.0, 1.0, 1.0], [False, False, True, True])
    useless = quality([0.5] * 4, [False, True, False, True])
    reverse = quality([1.0, 0.0], [False, True])

    assert (perfect.auc, perfect.ks, perfect.brier, perfect.calibration_error) == (1, 1, 0, 0)
    assert (useless.auc, useless.ks, useless.brier) == (0.5, 0, 0.25)
    assert useless.calibration_error == 0
    assert (reverse.auc, reverse.ks, reverse.brier) == (0, 1, 1)
    with pytest.raises(OneOutcomeOnly):
        quality([0.1], [False])


def test_no_attribute_turns_evidence_around() -> None:
    """A coefficient that would be negative is left at zero: good evidence never costs points."""
    chance = np.random.default_rng(0)
    first = chance.normal(size=500)
    x = np.column_stack([first, first + chance.normal(size=500) / 50, -first])
    good = chance.random(500) < 1 / (1 + np.exp(-first))

    assert (fit(x, good)[1:] >= 0).all()


def test_a_class_of_its_own_for_missing_numbers() -> None:
    """Missing numbers are a class with its own evidence, not the lowest interval."""
    column = next(one for one in GERMAN if one.name == "credit_amount")
    values = DATA.values["credit_amount"].copy()
    values[DATA.bad] = ""
    classes = classes_of(replace(DATA, values={**DATA.values, "credit_amount": values}), column)

    assert classes.evidence[MISSING] < -3
    assert classes.shares[MISSING] == pytest.approx(0.3)


def test_groups_are_compared_with_the_best() -> None:
    """A group approved less than four fifths as often as the best is looked at; small ones not."""
    names = ["a"] * 40 + ["b"] * 40 + ["c"] * 5
    said = [0.1] * 40 + [0.1] * 30 + [0.9] * 10 + [0.9] * 5
    found = groups(names, said, [False] * 85, approved_below=0.5)

    assert [(g.name, g.approval_rate, g.looked_at) for g in found] == [
        ("a", 1.0, False),
        ("b", 0.75, True),
    ]
    nobody = groups(names, said, [False] * 85, approved_below=0.0)
    assert not any(g.looked_at for g in nobody)


def test_an_interval_knows_that_folds_overlap() -> None:
    """The interval is wider than independent folds would make it."""
    found = interval([0.7, 0.8, 0.75, 0.78, 0.72])

    assert found.mean == pytest.approx(0.75)
    assert found.high - found.mean > 1.96 * found.sd / 5**0.5


@with_training
def test_champion_and_challenger_are_close() -> None:
    """The scorecard gives away at most .01 of AUC on the same folds; the card on file says so."""
    trials = [try_model(DATA, name, train) for name, train in MODELS.items()]
    card = model_card(DATA, VERSIONS["german"], trials, APPROVED_BELOW["german"])

    assert card == (RiskSettings().model_folder / "german.md").read_text("utf-8")
    assert trials[1].interval("auc").mean >= 0.785
    assert trials[1].interval("brier").mean <= 0.168
    assert abs(paired(trials[0], trials[1], "auc").mean) <= 0.01
