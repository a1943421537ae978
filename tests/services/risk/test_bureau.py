"""Reports from files and over HTTP: there, missing, broken, slow, or from the future."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.risk.adapters.bureau import BureauFolder, BureauHttp, bureau_of
from services.risk.application.deciding import Deciding
from services.risk.application.ports import BureauSource, NoBureau
from services.risk.domain.decision import decide
from tests.services.risk.test_decision import MODELS, POLICIES, POLICY, SOUND

REPORT = {
    "source": "pboc",
    "report_id": "r-9",
    "reported_on": "2026-03-01",
    "consented_on": "2026-02-20",
    "lenders": 6,
}


class Desk(BaseHTTPRequestHandler):
    """A bureau: B-1 has a report, B-slow waits, B-odd is no report, everybody else is unknown."""

    def do_GET(self) -> None:
        name = self.path.partition("?")[0].rpartition("/")[2]
        if name == "B-slow":
            time.sleep(1.5)
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
        assert found is not None and (found.lenders, found.report_id) == (6, "r-9")
        assert await source.report("B-odd", "CNY") is None
        assert await source.report("B-7", "CNY") is None
    assert await http.report("B-slow", "CNY") is None
    assert await BureauHttp("http://127.0.0.1:1", 0.5).report("B-1", "CNY") is None
    assert await folder.report("../B-1", "CNY") is None


def deciding(source: BureauSource) -> Deciding:
    return Deciding(book=None, policies=POLICIES, models=MODELS, bureau=source)  # type: ignore


async def test_a_fetched_report_decides(folder: BureauFolder) -> None:
    """Six lenders in the file decline; one that came with the request is not fetched again."""
    bare = msgspec.structs.replace(SOUND, bureau=None)
    fetched = await deciding(folder).informed(bare)

    assert decide(fetched, POLICY, MODELS).reasons[0].code == "TOO_MANY_LENDERS"
    assert await deciding(folder).informed(SOUND) == SOUND
    assert await deciding(NoBureau()).informed(bare) == bare


async def test_a_report_from_after_the_decision_is_not_used(folder: BureauFolder) -> None:
    """A decision of February does not see a report of March, nor a consent given later."""
    february = msgspec.structs.replace(SOUND, bureau=None, decided_on=date(2026, 2, 28))

    assert (await deciding(folder).informed(february)).bureau is None


def test_settings_name_the_source(tmp_path: Path) -> None:
    """A URL comes before a folder; with neither, nobody is asked."""
    assert isinstance(bureau_of(tmp_path, "http://x", 1), BureauHttp)
    assert isinstance(bureau_of(tmp_path, "", 1), BureauFolder)
    assert isinstance(bureau_of(None, "", 1), NoBureau)
