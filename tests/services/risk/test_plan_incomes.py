"""Hardship plans: an income that the source confirms, asked for with the borrower's consent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.risk.asking import cny, refusal, risk_asking
from tests.services.risk.desks import Desk, desk_open
from tests.services.risk.test_incomes import INCOME
from tests.services.risk.test_plan_affordability import API, asked
from tests.system.processes import Service


def said(borrower_ref: str, monthly_minor: int, on: str = "2026-03-04") -> str:
    who = {"borrower_ref": borrower_ref, "monthly_minor": monthly_minor, "verified_on": on}
    return json.dumps({**INCOME, **who})


@pytest.fixture
def desk() -> Iterator[Desk]:
    with desk_open() as found:
        found.bodies |= {
            "incomes/B-same": said("B-same", 600_000),
            "incomes/B-less": said("B-less", 399_999),
            "incomes/B-off": said("B-off", 479_999),
            "incomes/B-old": said("B-old", 600_000, "2025-12-04"),
            "incomes/B-future": said("B-future", 600_000, "2026-03-06"),
            "incomes/B-other": said("B-same", 600_000),
            "incomes/B-odd": "not JSON",
        }
        yield found


@pytest.fixture
def risk(desk: Desk, tmp_path: Path, nats_url: str) -> Iterator[Service]:
    with risk_asking(desk.url, tmp_path, nats_url) as service:
        yield service


def assess(risk: Service, name: str, /, **different: Any) -> dict[str, Any]:
    """Assess a plan that can be paid, of a borrower who consents, but for what is different."""
    form = asked(1, requestId=f"plan-{name}", borrowerRef=name, incomeConsentedOn="2026-03-01")
    return risk.call(f"{API}/AssessAffordability", **{**form, **different})


def came_of(assessment: dict[str, Any]) -> list[str]:
    outcome = assessment["outcome"].removeprefix("AFFORDABILITY_OUTCOME_")
    return [outcome, *(one["code"] for one in assessment.get("reasons", []))]


TOLD = [
    # borrower | what comes of a plan that the stated income bears
    ("B-same", ["AFFORDABLE"]),
    ("B-less", ["NOT_AFFORDABLE", "NOTHING_LEFT_TO_LIVE_ON", "INCOME_CONTRADICTORY"]),
    ("B-off", ["REFERRED", "INCOME_CONTRADICTORY"]),
    ("B-old", ["REFERRED", "INCOME_STALE"]),
    ("B-future", ["REFERRED", "INCOME_CONFIRMATION_UNUSABLE"]),
    ("B-other", ["REFERRED", "INCOME_CONFIRMATION_UNUSABLE"]),
    ("B-odd", ["REFERRED", "INCOME_CONFIRMATION_UNUSABLE"]),
    ("B-7", ["AFFORDABLE"]),
    ("B-slow", ["AFFORDABLE"]),
    ("B-rude", ["AFFORDABLE"]),
]


def test_what_the_source_says_is_assessed(risk: Service, desk: Desk) -> None:
    """The lower income counts, what cannot be used is looked at, who is silent confirms nothing."""
    found = [(name, came_of(assess(risk, name))) for name, _ in TOLD]
    desk.bodies.clear()
    again = [
        risk.call(f"{API}/ReplayAffordabilityAssessment", assessmentId=f"plan-{name}")["identical"]
        for name, _ in TOLD
    ]

    assert found == TOLD
    assert all(again)


async def test_a_plan_is_asked_about_once(risk: Service, desk: Desk) -> None:
    """The same request at once or later is one question; what it looked at says of the consent."""
    both = await asyncio.gather(*(asyncio.to_thread(assess, risk, "B-same") for _ in range(2)))
    later = assess(risk, "B-same")
    inputs = json.loads(later["inputsJson"])

    assert both == [later, later]
    assert desk.asked == ["incomes/B-same?currency=CNY&consented_on=2026-03-01"]
    assert inputs["income_consented_on"] == "2026-03-01"
    assert inputs["income"]["confirmation_id"] == INCOME["confirmation_id"]


def test_nobody_is_asked_about_a_plan_in_vain(risk: Service, desk: Desk) -> None:
    """Without consent, to try, beside an income that came along, or of what is refused: nobody."""
    given = {"source": "payroll", "verifiedOn": "2026-03-01", "monthly": cny(600_000)}
    silent = assess(risk, "B-less", requestId="plan-silent", incomeConsentedOn="")
    only = assess(risk, "B-less", validateOnly=True)
    along = assess(risk, "B-less", requestId="plan-along", verifiedIncome=given)
    ahead = {**asked(9), "incomeConsentedOn": "2026-03-06"}
    refused = refusal(risk, "AssessAffordability", API, **ahead)

    assert [came_of(one) for one in (silent, only, along)] == [["AFFORDABLE"]] * 3
    assert (refused.reason, refused.field) == ("FACT_AFTER_DECISION", "income_consented_on")
    assert refused.expected == "on or before 2026-03-05"
    assert desk.asked == []
