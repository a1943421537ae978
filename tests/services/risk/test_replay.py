"""Decisions made again by another process: every one the same, or named."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest

from services.risk.adapters.artefacts import read_models, read_policies
from services.risk.application.book import Decided
from services.risk.application.deciding import Deciding
from services.risk.application.exposures import Exposures
from services.risk.config import APPLICATION_ID, RiskSettings
from services.risk.domain.application import Application, BureauReport, VerifiedIncome
from services.risk.domain.decision import Outcome
from services.risk.training.datasets import german
from shared.runtime.database import open_database
from shared.runtime.records import Records
from tests.system.processes import ROOT

COUNT, BATCH = int(os.environ.get("DECISIONS", "1000")), 500


def application(number: int, given: dict[str, str]) -> Application:
    """Return one of many applications, some of them odd."""
    chance = random.Random(number)
    on = date(2025, 7, 1) + timedelta(days=number % 365)
    income = chance.randrange(0, 2_000_000)
    seen = BureauReport(
        source="pboc",
        report_id=f"r-{number}",
        reported_on=on - timedelta(days=chance.randrange(60)),
        consented_on=on - timedelta(days=60) if chance.random() < 0.9 else None,
        lenders=chance.randrange(7),
        enquiries_90d=chance.randrange(20),
    )
    payroll = VerifiedIncome(
        source="payroll", verified_on=on, monthly_minor=int(income * chance.uniform(0.7, 1.1))
    )
    return Application(
        application_id=f"A-{number}",
        product=chance.choice(["consumer-2026", "consumer-2026-daily"]),
        currency="CNY",
        amount_minor=chance.randrange(1, 8_000_000),
        instalments=12,
        monthly_income_minor=income,
        monthly_debt_payments_minor=chance.randrange(300_000),
        monthly_instalment_minor=chance.randrange(1, 300_000),
        other_lenders=chance.randrange(6),
        enquiries_30d=chance.randrange(10),
        age_years=chance.randrange(16, 80),
        attributes=given if chance.random() < 0.95 else {**given, "credit_amount": "NaN"},
        borrower_ref=f"B-{number % 4_000}",
        decided_on=on,
        region=chance.choice(["SH", "BJ", "GD", ""]),
        bureau=seen if chance.random() < 0.7 else None,
        income=payroll if chance.random() < 0.7 else None,
    )


def deciding_of(database_url: str) -> Deciding:
    settings = RiskSettings()
    policies, models = read_policies(settings.policy_folder), read_models(settings.model_folder)
    return Deciding(Exposures(Records(open_database(database_url))), policies, models)


def replay(database_url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.risk", "replay"],
        env={"RISK_DATABASE_URL": database_url, "PATH": ""},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
async def decided(tmp_path: Path) -> str:
    """Decide many applications under two policies, and return their database."""
    url = f"sqlite+aiosqlite:///{tmp_path}/risk.db"
    deciding, given = deciding_of(url), german().applicants()
    await deciding.records.create(APPLICATION_ID)
    await deciding.book.create(APPLICATION_ID)
    for start in range(0, COUNT, BATCH):
        async with deciding.book.work() as work:
            for number in range(start, start + BATCH):
                asked = application(number, given[number % len(given)])
                made = deciding.decide(asked, f"score-{number}")
                await deciding.keep(work, [made])
                after = deciding.book.decided(None, made.application, approved=made.approved)
                await deciding.book.store(work, [after] if after else [])
    await deciding.records.engine.dispose()
    return url


async def test_every_decision_comes_out_the_same(decided: str) -> None:
    """Another process makes them again from what was stored; one altered afterwards is named."""
    same = replay(decided)
    deciding = deciding_of(decided)
    outcomes = {one.decision.outcome async for one in deciding.every()}
    async with deciding.records.work() as work:
        found = await work.get(Decided, "score-77")
        assert found is not None
        poorer = msgspec.structs.replace(found.application, monthly_income_minor=1)
        await work.put(msgspec.structs.replace(found, application=poorer), "score-77")
    await deciding.records.engine.dispose()
    altered = replay(decided)

    assert same.returncode == 0, same.stdout + same.stderr
    assert same.stdout.splitlines()[-1] == f"{COUNT:,} identical, 0 different"
    assert "under cn-consumer/2024-01 with german-woe/1" in same.stdout
    assert "under cn-consumer/2026-01 with german-woe/2" in same.stdout
    assert outcomes == set(Outcome)
    assert altered.returncode == 1
    assert "score-77: " in altered.stdout and "input_digest was" in altered.stdout
    assert altered.stdout.splitlines()[-1] == f"{COUNT - 1:,} identical, 1 different"
