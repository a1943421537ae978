"""Every published case passes, and a wrong figure is seen."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner

from tests.cases.__main__ import main, read, verdict

FILES = sorted((Path(__file__).parent / "published").glob("*.jsonl"))
CASES = list(read(FILES))


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_published_case(case: dict) -> None:
    """The real domain code comes to the printed figures."""
    _, outcome, differs = verdict(case)

    assert outcome != "failed", differs


def test_a_wrong_figure_fails() -> None:
    """A case whose printed figure is off by a cent is not passed."""
    wrong = copy.deepcopy(next(c for c in CASES if c.get("kind") == "schedule"))
    wrong["expected_schedule"][1]["principal_due"] = "187.51"

    assert verdict(wrong)[1] == "failed"


# category | inputs | expected
SPELLINGS = [
    (
        "day_count",
        {"convention": "30E/360 (ISDA)", "start": "2006-08-31", "end": "2007-02-28"},
        180,
    ),
    ("level_payment", {"principal": 1200, "rate_pct": 0, "years": 1}, -100),
    ("sma_npa", {"due_date": "2021-03-31"}, {"sma_1": "2021-04-30", "NPA": "2021-06-29"}),
    ("rbi_classification", {"due": "2021-03-31", "day_end": "2021-05-29"}, "SMA-1"),
    ("ecl", {"pv_observed_loss": 600, "total_gca": 200_000}, 0.003),
]


@pytest.mark.parametrize(("category", "given", "expected"), SPELLINGS)
def test_other_spellings(category: str, given: dict, expected: object) -> None:
    """The same figure under other names and signs."""
    case = {"category": category, "inputs": given, "expected": expected, "tolerance": 0}

    assert verdict(case)[1:] == ("passed", [])


def test_a_broken_case_fails_alone(tmp_path: Path) -> None:
    """A figure that cannot be read is that case's failure; the next case still counts."""
    broken = {"id": "b", "category": "day_count", "inputs": {"start": 7}, "expected": 1}
    file = tmp_path / "own.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in (broken, CASES[0])))
    app = Typer()
    app.command()(main)

    result = CliRunner().invoke(app, [str(file)])

    assert result.output.splitlines()[-1] == "1 passed, 1 failed"


def test_a_known_defect_of_the_source() -> None:
    """Where a case names the clipped figures, those count, and no others."""
    case = copy.deepcopy(next(c for c in CASES if c["id"] == "DLQ-043"))
    step = next(
        s for s in case["timeline"] if s.get("expect", {}).get("kind") == "delinquency_loan"
    )
    step["expect"]["delinquentDays"] = "9"
    name = "differs_if_pause_clipped_to_overdue_interval"
    outcomes = []
    for got in (None, [f"line {step['line']}: loan expected ('9',) got ('21',)"]):
        outcomes.append(verdict({**case, name: got})[1])

    assert outcomes == ["failed", "passed"]


def test_the_command_closes_with_the_count(tmp_path: Path) -> None:
    """The last line says how many passed; an unknown category is a failure, not silence."""
    file = tmp_path / "own.jsonl"
    file.write_text('{"id": "x", "category": "astrology", "inputs": {}, "expected": 1}\n')
    app = Typer()
    app.command()(main)

    result = CliRunner().invoke(app, [str(file)])

    assert result.output.splitlines()[-1] == "0 passed, 1 failed"
    assert result.exit_code == 1
