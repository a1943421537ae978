"""Reports from files and over HTTP: there, missing, broken, slow, or from the future."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.risk.adapters.bureau import BureauFolder, BureauHttp, bureau_of
from services.risk.application.deciding import Deciding
from services.risk.application.exposures import Exposures
from services.risk.application.ports import BureauSource, NoBureau, Unusable
from services.risk.config import APPLICATION_ID
from services.risk.domain.application import BureauReport
from services.risk.domain.decision import decide
from shared.runtime.database import open_database
from shared.runtime.records import Records
from tests.services.risk.asking import API, asked
from tests.services.risk.test_decision import MODELS, POLICIES, POLICY, SOUND
from tests.system.processes import Service, free_port

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


ENQUIRIES: list[str] = []
"""Whom the bureau was asked about, in the order asked."""


class Desk(BaseHTTPRequestHandler):
    """A bureau: B-1 has a report, B-slow waits, B-odd is none, B-rude no HTTP, others unknown."""

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].rpartition("/")[2]
        ENQUIRIES.append(name)
        if name == "B-slow":
            time.sleep(1.5)
        if name == "B-rude":
            self.wfile.write(b"what?\r\n")
            return
        body = {"B-1": json.dumps(REPORT), "B-odd": '{"lenders": "many"}'}.get(name)
        with contextlib.suppress(BrokenPipeError):
            self.send_response(200 if body else 404)
            self.end_headers()
            self.wfile.write((body or "").encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def http() -> Iterator[BureauHttp]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield BureauHttp(f"http://127.0.0.1:{server.server_port}/", timeout_seconds=0.5)
    server.shutdown()


@pytest.fixture
def folder(tmp_path: Path) -> BureauFolder:
    (tmp_path / "B-1.CNY.json").write_text(json.dumps(REPORT))
    (tmp_path / "B-odd.CNY.json").write_text("not JSON")
    return BureauFolder(tmp_path)


async def test_a_report_is_read_from_either(folder: BureauFolder, http: BureauHttp) -> None:
    """The same report as a file and over HTTP; what is unknown, odd, slow or away is none."""
    for source in (folder, http):
        found = await source.report("B-1", "CNY")
        assert isinstance(found, BureauReport) and (found.lenders, found.report_id) == (6, "r-9")
        assert isinstance(await source.report("B-odd", "CNY"), Unusable)
        assert await source.report("B-7", "CNY") is None
    assert await http.report("B-slow", "CNY") is None
    assert await http.report("B-rude", "CNY") is None
    assert await BureauHttp("http://127.0.0.1:1", 0.5).report("B-1", "CNY") is None
    assert await folder.report("../B-1", "CNY") is None


@contextlib.asynccontextmanager
async def deciding(folder: Path, source: BureauSource) -> AsyncIterator[Deciding]:
    book = Exposures(Records(open_database(f"sqlite+aiosqlite:///{folder}/risk.db")))
    await book.records.create(APPLICATION_ID)
    await book.create(APPLICATION_ID)
    yield Deciding(book=book, policies=POLICIES, models=MODELS, bureau=source)
    await book.records.engine.dispose()


async def test_a_fetched_report_decides(folder: BureauFolder, tmp_path: Path) -> None:
    """Six lenders in the file decline; one that came with the request is not fetched again."""
    bare = msgspec.structs.replace(SOUND, bureau=None)
    async with deciding(tmp_path, folder) as one:
        fetched = await one.informed(bare)
        given = await one.informed(SOUND)
    async with deciding(tmp_path, NoBureau()) as nobody:
        without = await nobody.informed(bare)

    assert decide(fetched, POLICY, MODELS).reasons[0].code == "TOO_MANY_LENDERS"
    assert (given, without) == (SOUND, bare)


async def test_a_report_from_after_the_decision_is_not_used(
    folder: BureauFolder, tmp_path: Path
) -> None:
    """A decision of February does not see a report of March, nor a consent given later."""
    february = msgspec.structs.replace(SOUND, bureau=None, decided_on=date(2026, 2, 28))

    async with deciding(tmp_path, folder) as one:
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
    async with deciding(tmp_path, BureauFolder(tmp_path)) as one:
        informed = await one.informed(small)
    decision = decide(informed, POLICY, MODELS)

    assert why in informed.bureau_unusable
    assert (decision.outcome, decision.reasons[0].code) == ("REFERRED", "BUREAU_REPORT_UNUSABLE")


@pytest.mark.parametrize("missing", sorted({*REPORT} - {"source"}))
async def test_every_field_of_a_report_is_needed(tmp_path: Path, missing: str) -> None:
    """A field left out is not a nought."""
    said = {name: value for name, value in REPORT.items() if name != missing}
    (tmp_path / "B-1.CNY.json").write_text(json.dumps(said))

    assert isinstance(await BureauFolder(tmp_path).report("B-1", "CNY"), Unusable)


async def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """A file that the disk or its rights withhold is a report that cannot be used."""
    (tmp_path / "B-1.CNY.json").symlink_to("/proc/self/mem")

    assert isinstance(await BureauFolder(tmp_path).report("B-1", "CNY"), Unusable)


def test_settings_name_the_source(tmp_path: Path) -> None:
    """A URL comes before a folder; with neither, nobody is asked."""
    assert isinstance(bureau_of(tmp_path, "http://x", 1), BureauHttp)
    assert isinstance(bureau_of(tmp_path, "", 1), BureauFolder)
    assert isinstance(bureau_of(None, "", 1), NoBureau)


@pytest.fixture
def informed_risk(http: BureauHttp, tmp_path: Path, nats_url: str) -> Iterator[Service]:
    port = free_port()
    environment = {
        "RISK_GRPC_PORT": str(port),
        "RISK_METRICS_PORT": "0",
        "RISK_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/risk.db",
        "RISK_NATS_URL": nats_url,
        "RISK_BUREAU_URL": http.url,
    }
    service = Service("risk", port, environment, tmp_path / "risk.log")
    service.start()
    yield service
    service.stop()


async def test_a_bureau_is_asked_once_per_application(informed_risk: Service) -> None:
    """At once, again, anew, or only to know: others see one enquiry, until its answer is old."""
    ENQUIRIES.clear()
    on = {"borrowerRef": "B-1", "decidedOn": "2026-03-05"}
    method = f"{API}/ScoreApplication"
    forms = [asked(1, **on), asked(1, **on), asked(1, **on, requestId="score-A-1-anew")]
    first, same, _ = await asyncio.gather(
        *(asyncio.to_thread(informed_risk.call, method, **form) for form in forms)
    )
    later = informed_risk.call(method, **asked(1, **on, requestId="score-A-1-later"))
    only = informed_risk.call(method, **asked(1, **on, validateOnly=True))
    told = [one["reasons"][0]["code"] for one in (first, same, later, only)]
    once = list(ENQUIRIES)
    april = {"borrowerRef": "B-1", "decidedOn": "2026-04-05", "requestId": "score-A-1-april"}
    informed_risk.call(method, **asked(1, **april))
    informed_risk.call(method, **asked(2, **on))
    informed_risk.call(method, **asked(3, **on, validateOnly=True))

    assert told == ["TOO_MANY_LENDERS"] * 4
    assert once == ["B-1"]
    assert ENQUIRIES == ["B-1"] * 3
