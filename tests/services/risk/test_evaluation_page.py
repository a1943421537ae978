"""A trial of models as a page: its curve has known answers, and it says what the command says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from services.risk.adapters.report_page import page
from services.risk.entrypoints.evaluation_page import bads_turned_away, evaluation_parts
from services.risk.training.datasets import german
from services.risk.training.protocol import Trial, champion, try_model

DATA = german()


def curve(probabilities: list[float], bad: list[bool]) -> list[float]:
    data = replace(DATA, bad=np.array(bad))
    return bads_turned_away(Trial("m", (), np.array(probabilities)), data)


def test_a_perfect_model_turns_away_every_bad_first() -> None:
    """Both bads before any good; the other way about, none before all goods."""
    perfect = curve([0.9, 0.8, 0.2, 0.1], [True, True, False, False])
    reverse = curve([0.1, 0.2, 0.8, 0.9], [True, True, False, False])

    assert set(perfect) == {1.0}
    assert (reverse[0], reverse[-2], reverse[-1]) == (0, 0, 1)


def test_those_of_whom_the_same_is_said_are_turned_away_together() -> None:
    """One probability for all is no model: as many of the bads as of the goods."""
    found = curve([0.5] * 4, [True, False, True, False])

    assert found == pytest.approx([place / 20 for place in range(21)])


def test_the_page_says_what_was_measured() -> None:
    """Figures with interval, the bars, two plots, and every group that the score does not see."""
    trial = try_model(DATA, "champion", champion)
    bars = [("auc ≥ 0.785", "champion")]
    said = page("Models", (), list(evaluation_parts(DATA, [trial], bars, 0.48)))

    assert str(trial.interval("auc")) in said
    assert "auc ≥ 0.785" in said
    assert said.count("<svg") == 2
    assert all(column.name in said for column in DATA.left_out)
