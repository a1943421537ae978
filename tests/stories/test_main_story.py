"""A loan lives through all four services, and an auditor replays it."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.stories.conftest import NAMES, Suite
from tests.stories.three_loans import LOANS, Story
from tests.system.processes import ROOT

NODE = ROOT / "tests" / "system" / "node"
KILLS_MAX, SEED = 10, 7


def heard_by_nats_js(suite: Suite) -> dict[str, list[int]]:
    """Return the sequences of every delinquency event by loan, as nats.js receives them."""
    if not (NODE / "node_modules").exists():
        pytest.skip("node is not installed: the independent subscriber cannot run")
    done = subprocess.run(
        [
            "node",
            "subscriber.mjs",
            f"nats://127.0.0.1:{suite.nats_port}",
            "lending.v1.delinquency.>",
        ],
        cwd=NODE,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, list[int]] = defaultdict(list)
    for line in done.stdout.splitlines():
        subject, sequence = json.loads(line)
        found[subject.rsplit(".", 1)[1]].append(sequence)
    return found


def replay(suite: Suite) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.ledger", "replay"],
        cwd=ROOT,
        env={**os.environ, **suite.services["ledger"].environment},
        capture_output=True,
        text=True,
    )


def messages(folder: Path) -> dict[str, str]:
    """Return the text of every message to a borrower, by name."""
    files = sorted((folder / "outbox").glob("*.json"))
    return {path.stem: json.loads(path.read_text("utf-8"))["text"] for path in files}


def differing(calm: Any, rough: Any, where: str = "") -> list[str]:
    """Name each field that differs, with both of its values: calm first."""
    if isinstance(calm, dict) and isinstance(rough, dict):
        names = sorted(calm.keys() | rough.keys())
        inside = [(calm.get(name), rough.get(name), f"{where}.{name}") for name in names]
    elif isinstance(calm, list) and isinstance(rough, list) and len(calm) == len(rough):
        pairs = enumerate(zip(calm, rough, strict=True))
        inside = [(*both, f"{where}[{at}]") for at, both in pairs]
    else:
        return [] if calm == rough else [f"{where}: {calm} != {rough}"]
    return [one for each in inside for one in differing(*each)]


def test_three_loans_told_undisturbed_and_under_kill_9(
    new_suite: Callable[[str], Suite],
) -> None:
    """Paid, planned and lost: killed at random, every service ends where it would have ended."""
    calm = new_suite("calm")
    ending = Story(calm).tell()
    check_ending(ending)
    heard = heard_by_nats_js(calm)
    sent = messages(calm.folder)

    chance, rough = random.Random(SEED), new_suite("rough")
    kills: list[str] = []

    def interrupt() -> None:
        if len(kills) < KILLS_MAX and chance.random() < 0.2:
            kills.append(chance.choice(NAMES))
            rough.kill(kills[-1])

    disturbed = Story(rough, interrupt).tell()

    assert len(kills) >= 5
    assert differing(ending, disturbed) == []
    assert differing(sent, messages(rough.folder)) == []
    for suite in (calm, rough):
        numbers = heard_by_nats_js(suite)
        assert set(numbers) == set(LOANS)
        for loan, sequences in numbers.items():
            assert sequences == list(range(1, len(heard[loan]) + 1))
        audit = replay(suite)
        assert audit.returncode == 0, audit.stdout


def check_ending(ending: dict) -> None:
    loans, cases = ending["loans"], ending["cases"]
    assert loans["L-paid"]["status"] == "LOAN_STATUS_SETTLED"
    assert "principalOutstandingMinor" not in loans["L-paid"]
    assert loans["L-plan"]["status"] == "LOAN_STATUS_ACTIVE"
    assert loans["L-plan"]["terms"]["rateAnnual"] == "0.06"
    assert loans["L-lost"]["status"] == "LOAN_STATUS_CHARGED_OFF"
    assert loans["L-lost"]["recoveredMinor"] == "50000"
    assert loans["L-lost"]["delinquency"]["continuous"]
    reminders = [(r["stage"], r["language"]) for r in cases["L-plan"]["reminders"]]
    assert reminders[:3] == [("GRACE", "zh"), ("M1", "zh"), ("M2", "en")]
    assert cases["L-plan"]["plan"]["status"] == "PLAN_STATUS_FAILED"
    assert cases["L-plan"]["promises"][0]["status"] == "PROMISE_STATUS_BROKEN"
    assert cases["L-paid"]["promises"][0]["status"] == "PROMISE_STATUS_KEPT"
    assert [r["stage"] for r in cases["L-lost"]["reminders"]] == ["GRACE", "M1", "M2", "M3", "M4"]


def test_the_messages_to_borrowers_speak_two_languages(tmp_path: Path) -> None:
    """Every template is written in Chinese and in English."""
    folder = ROOT / "services" / "collections" / "templates"

    names = {lang: {p.name for p in (folder / lang).glob("*.txt")} for lang in ("zh", "en")}

    assert names["zh"] == names["en"] != set()
