"""The kit holds: our services pass, a careless handler fails by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert

from shared.runtime.database import open_database
from shared.runtime.record_tables import RECORDS
from shared.runtime.records import Records
from tests.conformance import kit
from tests.conformance.__main__ import maker
from tests.conformance.candidates import OurService
from tests.system.processes import free_port


async def failed(folder: Path, handler: str, service: str = "", command: str = "") -> dict:
    findings = await kit.run(folder, maker(handler, command, service), free_port)
    assert len(findings) == 18
    return {one.case: one.wrong for one in findings if one.wrong}


@pytest.mark.parametrize("service", ["risk", "collections"])
async def test_our_services_pass(tmp_path: Path, service: str) -> None:
    """Each event has its effect once and in order; each fault is noticed; nothing else is."""
    assert await failed(tmp_path, "", service) == {}


async def test_a_naive_handler_fails_by_name(tmp_path: Path) -> None:
    """The kit names what a careless handler gets wrong, and only that."""
    wrong = await failed(tmp_path, "tests.conformance.handlers:naive")

    assert set(wrong) == {"killed in the middle of its work"}


async def test_a_message_in_doubt_is_not_compared_and_all_else_is(tmp_path: Path) -> None:
    """
    A kill in the middle of sending leaves a message to a person; only of that one it is so.

    One in doubt of which no task tells anybody is a difference like any other.
    """
    records = Records(open_database(f"sqlite+aiosqlite:///{tmp_path}/subscriber.db"))
    await records.create(1)
    async with records.work() as work:
        rows = [
            *(("Message", "N-1.M1", "UNCERTAIN"), ("Task", "N-1.M1.check", "OPEN")),
            *(("Message", "N-2.M1", "SENT"), ("Message", "N-3.M1", "UNCERTAIN")),
        ]
        for kind, name, state in rows:
            row = {"kind": kind, "id": name, "state": state, "body": b"{}"}
            await work.connection.execute(insert(RECORDS), row)
    await records.engine.dispose()
    in_doubt = OurService.named("collections", "", tmp_path, "").in_doubt()
    quiet = {"outbox/N-1.M1.json": ["{"], "outbox/N-2.M1.json": ["{"], "Task": []}
    quiet["outbox/N-3.M1.json"] = ["{"]
    rough = {"Task": ["('N-1.M1.check', 'OPEN')"]}

    assert in_doubt == {"N-1.M1"}
    found = kit.differences([], quiet, rough, in_doubt)
    assert [one.wrong for one in found if one.wrong] == [
        "outbox/N-2.M1.json differs: {",
        "outbox/N-3.M1.json differs: {",
    ]
