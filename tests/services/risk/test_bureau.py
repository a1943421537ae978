"""Reports from files and over HTTP: there, missing, broken, slow, or from the future."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path

import msgspec
import pytest

from services.risk.adapters.sources import REPORTS, FolderSource, HttpSource, source_of
from services.risk.application.informing import Informing
from services.risk.application.ports import NoSource, Source, Unusable
from services.risk.config import APPLICATION_ID
from services.risk.domain.application import BureauReport, VerifiedIncome
from services.risk.domain.decision import decide
from shared.runtime.database import open_database
from shared.runtime.records import Records
from tests.services.risk.asking import API, asked, risk_running
from tests.services.risk.desks import Desk, desk_open
from tests.services.risk.test_decision import MODELS, POLICIES, POLICY, SOUND
from tests.system.processes import Service

REPORT = {
    "borrower_ref": "B-1",
    "currency": "CNY",
    "source": "pboc",
    "report_id": "r-9",
    "reported_on": "2026-03-01",
    "consented_on": "2026-02-20",
    "lenders": 6,
    "enquiries_7d": 0,
    "enquiries_30d": 1,
    "enquiries_90d": 2,
    "monthly_payments_minor": 0,
    "overdue_minor": 0,
}


@pytest.fixture
def desk() -> Iterator[Desk]:
    """B-1 has a report, B-odd what is none; others are unknown, slow or rude."""
    with desk_open() as found:
        found.bodies |= {"reports/B-1": json.dumps(REPORT), "reports/B-odd": '{"lenders": "many"}'}
        yield found


@pytest.fixture
def http(desk: Desk) -> Source[BureauReport]:
    return source_of(REPORTS, None, desk.url, 0.5)


@pytest.fixture
def folder(tmp_path: Path) -> Source[BureauReport]:
    (tmp_path / "B-1.CNY.json").write_text(json.dumps(REPORT))
    (tmp_path / "B-odd.CNY.json").write_text("not JSON")
    return source_of(REPORTS, tmp_path, "", 1)


async def test_a_report_is_read_from_either(
    folder: Source[BureauReport], http: Source[BureauReport]
) -> None:
    """The same report as a file and over HTTP; what is unknown, odd, slow or away is none."""
    for source in (folder, http):
        found = await source.ask("B-1", "CNY")
        assert isinstance(found, BureauReport) and (found.lenders, found.report_id) == (6, "r-9")
        assert isinstance(await source.ask("B-odd", "CNY"), Unusable)
        assert await source.ask("B-7", "CNY") is None
    assert await http.ask("B-slow", "CNY") is None
    assert await http.ask("B-rude", "CNY") is None
    nobody = source_of(REPORTS, None, "http://127.0.0.1:1", 0.5)
    assert await nobody.ask("B-1", "CNY") is None
    assert await folder.ask("../B-1", "CNY") is None


@contextlib.asynccontextmanager
async def informing(
    folder: Path, bureau: Source[BureauReport], incomes: Source[VerifiedIncome] | None = None
) -> AsyncIterator[Informing]:
    """Give what asks these sources, beside a book in which nothing was decided."""
    records = Records(open_database(f"sqlite+aiosqlite:///{folder}/risk.db"))
    await records.create(APPLICATION_ID)
    yield Informing.of(records, POLICIES, bureau, incomes or NoSource())
    await records.engine.dispose()


async def test_a_fetched_report_decides(folder: Source[BureauReport], tmp_path: Path) -> None:
    """Six lenders in the file decline; one that came with the request is not fetched again."""
    bare = msgspec.structs.replace(SOUND, bureau=None)
    async with informing(tmp_path, folder) as one:
        fetched = await one.informed(bare)
        given = await one.informed(SOUND)
    async with informing(tmp_path, NoSource()) as nobody:
        without = await nobody.informed(bare)

    assert decide(fetched, POLICY, MODELS).reasons[0].code == "TOO_MANY_LENDERS"
    assert (given, without) == (SOUND, bare)


async def test_a_report_from_after_the_decision_is_not_used(
    folder: Source[BureauReport], tmp_path: Path
) -> None:
    """A decision of February does not see a report of March, nor a consent given later."""
    february = msgspec.structs.replace(SOUND, bureau=None, decided_on=date(2026, 2, 28))

    async with informing(tmp_path, folder) as one:
        informed = await one.informed(february)

    assert informed.bureau is None
    assert decide(informed, POLICY, MODELS).reasons[0].code == "BUREAU_REPORT_UNUSABLE"


ODD = [
    # what a report says otherwise          | what of it
    ({"overdue": 999}, "unknown field"),
    ({"lenders": -5}, ">= 0"),
    ({"enquiries_7d": None}, "enquiries_7d"),
    ({"borrower_ref": "B-2"}, "another borrower"),
    ({"currency": "EUR"}, "another borrower or currency"),
    ({"reported_on": "yesterday"}, "reported_on"),
]


@pytest.mark.parametrize(("different", "why"), ODD)
async def test_a_report_that_does_not_say_all_is_looked_at(
    tmp_path: Path, different: dict[str, object], why: str
) -> None:
    """What is misnamed, missing or about somebody else is never read as a clean report."""
    (tmp_path / "B-1.CNY.json").write_text(json.dumps({**REPORT, "lenders": 0, **different}))
    small = msgspec.structs.replace(SOUND, bureau=None, amount_minor=10_000)
    async with informing(tmp_path, source_of(REPORTS, tmp_path, "", 1)) as one:
        informed = await one.informed(small)
    decision = decide(informed, POLICY, MODELS)

    assert why in informed.bureau_unusable
    assert (decision.outcome, decision.reasons[0].code) == ("REFERRED", "BUREAU_REPORT_UNUSABLE")


@pytest.mark.parametrize("missing", sorted({*REPORT} - {"source"}))
async def test_every_field_of_a_report_is_needed(tmp_path: Path, missing: str) -> None:
    """A field left out is not a nought."""
    said = {name: value for name, value in REPORT.items() if name != missing}
    (tmp_path / "B-1.CNY.json").write_text(json.dumps(said))

    assert isinstance(await source_of(REPORTS, tmp_path, "", 1).ask("B-1", "CNY"), Unusable)


async def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """A file that the disk or its rights withhold is a report that cannot be used."""
    (tmp_path / "B-1.CNY.json").symlink_to("/proc/self/mem")

    assert isinstance(await source_of(REPORTS, tmp_path, "", 1).ask("B-1", "CNY"), Unusable)


def test_settings_name_the_source(tmp_path: Path) -> None:
    """A URL comes before a folder; with neither, nobody is asked."""
    assert isinstance(source_of(REPORTS, tmp_path, "http://x", 1), HttpSource)
    assert isinstance(source_of(REPORTS, tmp_path, "", 1), FolderSource)
    assert isinstance(source_of(REPORTS, None, "", 1), NoSource)


@pytest.fixture
def informed_risk(desk: Desk, tmp_path: Path, nats_url: str) -> Iterator[Service]:
    with risk_running(tmp_path, nats_url, RISK_BUREAU_URL=desk.url) as service:
        yield service


async def test_a_bureau_is_asked_once_per_application(informed_risk: Service, desk: Desk) -> None:
    """At once, again, anew, or only to know: others see one enquiry, until its answer is old."""
    on = {"borrowerRef": "B-1", "decidedOn": "2026-03-05"}
    method = f"{API}/ScoreApplication"
    forms = [asked(1, **on), asked(1, **on), asked(1, **on, requestId="score-A-1-anew")]
    first, same, _ = await asyncio.gather(
        *(asyncio.to_thread(informed_risk.call, method, **form) for form in forms)
    )
    later = informed_risk.call(method, **asked(1, **on, requestId="score-A-1-later"))
    only = informed_risk.call(method, **asked(1, **on, validateOnly=True))
    told = [one["reasons"][0]["code"] for one in (first, same, later, only)]
    once = desk.asked.copy()
    april = {"borrowerRef": "B-1", "decidedOn": "2026-04-05", "requestId": "score-A-1-april"}
    informed_risk.call(method, **asked(1, **april))
    informed_risk.call(method, **asked(2, **on))
    informed_risk.call(method, **asked(3, **on, validateOnly=True))

    assert told == ["TOO_MANY_LENDERS"] * 4
    assert once == ["reports/B-1?currency=CNY"]
    assert desk.asked == once * 3
