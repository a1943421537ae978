"""The whole book's risk, asked of a running service over books that were kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.risk.application.exposures import Exposures
from services.risk.application.portfolio import Portfolios
from services.risk.domain import portfolio as figures
from services.risk.domain.book_losses import check_some, stages_of
from shared.runtime.database import open_database
from shared.runtime.records import Records
from tests.services.risk.asking import API, refused
from tests.services.risk.test_portfolio import (
    FEBRUARY,
    HAZARDS,
    HISTORY,
    JANUARY,
    MARCH,
    RULES,
    SHARING,
    FakeBook,
)
from tests.system.processes import Service


async def test_a_running_service_answers_for_the_whole_book(risk: Service, tmp_path: Path) -> None:
    """What was kept beside it is told to the cent; a date not kept, or no currency, is refused."""
    records = Records(open_database(f"sqlite+aiosqlite:///{tmp_path}/risk.db"))
    portfolios = Portfolios(Exposures(records), RULES, SHARING)
    for on in (JANUARY, FEBRUARY, MARCH):
        await portfolios.keep(FakeBook(), on, "CNY")
    await records.engine.dispose()
    found = risk.call(f"{API}/GetPortfolio", asOf="2026-03-31", currency="CNY")
    expected = figures.portfolio(HISTORY, [JANUARY, FEBRUARY, MARCH], RULES)

    assert (found["loans"], found["balanceMinor"]) == ("3", "340000")
    assert found["allowanceMinor"] == str(expected.allowance_minor)
    assert [part["name"] for part in found["byStage"]] == [p.name for p in expected.by_stage]
    assert found["rulesVersion"] == "expected-loss/2026-12"
    assert [row["month"] for row in found["vintages"]] == ["2026-01", "2026-03"]
    wrong = refused(risk, "GetPortfolio", asOf="2026-03-30", currency="CNY")
    assert wrong == ("not_found", "BOOK_NOT_KEPT")
    wrong = refused(risk, "GetPortfolio", asOf="2026-03-31", currency="XXX")
    assert wrong == ("invalid_argument", "CURRENCY_UNKNOWN")


def test_a_wrong_allowance_does_not_get_out() -> None:
    """What the fast formula says is held against the exact one, and a difference stops it."""
    rows = [row for row in HISTORY[2] if row.on_books]
    stages = stages_of(rows, RULES, HAZARDS, frozenset(), MARCH)

    with pytest.raises(AssertionError):
        check_some(rows, stages, [0] * len(rows), RULES, HAZARDS)
