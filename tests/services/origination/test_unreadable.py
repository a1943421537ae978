"""A record that cannot be read is parked with the reason, and those behind it go on."""

from __future__ import annotations

import os
import sqlite3
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lending.origination.v1 import origination_service_pb2 as pb
from sqlalchemy import text

from services.origination.application.cancelling import Cancelling
from services.origination.application.deciding import Deciding
from services.origination.application.holding import RecordUnreadable
from services.origination.application.offering import sweep
from services.origination.application.parking import Parked, parked
from services.origination.application.personal import PERSONAL
from services.origination.compose import APPLICATION_ID
from services.origination.domain.state_machine import Status
from shared.runtime.vault import open_vault
from tests.services.origination.counterparts import TODAY
from tests.services.origination.killing import NOW, contracted
from tests.services.origination.paying import Place, reason_of
from tests.services.origination.room import Room, open_room
from tests.system.processes import CallRefused

BAD, GOOD = "A-0", "A-1"


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with open_room(tmp_path) as made:
        yield made


async def body(room: Room, name: str, given: bytes | None = None) -> bytes:
    """Return the stored bytes of an application; with `given`, put these in their place."""
    async with room.desk.records.engine.begin() as connection:
        named = {"name": name}
        here = "FROM records WHERE kind = 'Application' AND id = :name"
        kept = (await connection.execute(text(f"SELECT body {here}"), named)).scalar_one()
        if given is not None:
            change = "SET body = :given WHERE kind = 'Application' AND id = :name"
            await connection.execute(text(f"UPDATE records {change}"), {**named, "given": given})
    return bytes(kept)


async def both(room: Room, **changes: Any) -> bytes:
    """Store two applications and break the first; return how it was."""
    for name in (BAD, GOOD):
        one = msgspec.structs.replace(contracted(), application_id=name, **changes)
        await room.store(one)
    return await body(room, BAD, b'{"application_id": "A-0", "amount_minor": "much"}')


async def listed(room: Room) -> list[Parked]:
    return await parked(room.desk.records, NOW, "", 10)


async def test_a_payout_behind_it_is_finished(room: Room) -> None:
    """One is parked, with what is wrong and where it stood; the other's money goes out."""
    await room.store(contracted())
    await room.disburse()
    on_its_way = await room.desk.load(GOOD)
    payout = msgspec.structs.replace(on_its_way.payouts[0], reference="")
    await both(room, status=Status.DISBURSING, payouts=(payout,))

    found = await room.resume()
    again = await room.resume()

    assert found.status is again.status is Status.DISBURSED
    [one] = await listed(room)
    assert (one.application_id, one.status, one.at) == (BAD, "DISBURSING", NOW)
    assert "amount_minor" in one.reason
    with pytest.raises(RecordUnreadable):
        await room.desk.load(BAD)


async def test_what_lapses_behind_it_lapses(room: Room) -> None:
    """The sweep goes on."""
    await both(room, valid_until_on=TODAY - timedelta(days=1))

    await sweep(room.desk)

    assert (await room.desk.load(GOOD)).status is Status.EXPIRED
    assert [one.application_id for one in await listed(room)] == [BAD]


async def test_what_waits_for_risk_behind_it_is_asked_about(room: Room) -> None:
    """A process that starts looks for what is queued, past the one that it cannot read."""
    await both(room, status=Status.SUBMITTED, queued_at=NOW)
    deciding = Deciding(room.desk, None, {})

    await deciding.resume()
    await Cancelling(room.desk).resume()

    assert deciding.waiting == {GOOD}
    assert [one.application_id for one in await listed(room)] == [BAD]


async def test_mended_it_is_listed_no_more(room: Room) -> None:
    """It goes on by itself from where it stood; broken again it is listed again."""
    whole = await both(room, valid_until_on=TODAY - timedelta(days=1))
    await sweep(room.desk)
    await body(room, BAD, whole)

    mended = await listed(room)
    await sweep(room.desk)
    ended = await room.desk.load(BAD)
    await body(room, BAD, b"\xff")
    async for _ in room.desk.each(Status.EXPIRED):
        pass

    assert (mended, ended.status) == ([], Status.EXPIRED)
    assert [one.status for one in await listed(room)] == ["EXPIRED"]


async def test_sealed_with_another_key(tmp_path: Path, room: Room) -> None:
    """One record from another vault parks itself only, and its reason names no one's data."""
    desk, key = room.desk, tmp_path / "key"
    for name in (BAD, GOOD):
        key.write_bytes(b64encode(os.urandom(32)))
        desk.records.vault = open_vault(key, PERSONAL)
        await desk.records.create(APPLICATION_ID)
        one = msgspec.structs.replace(contracted(), application_id=name, borrower_ref=f"B{name}")
        await room.store(msgspec.structs.replace(one, valid_until_on=TODAY - timedelta(days=1)))

    await sweep(desk)

    assert (await desk.load(GOOD)).status is Status.EXPIRED
    [other] = await listed(room)
    assert other.reason.startswith("VaultKeyWrong")
    assert "Li Lei" not in other.reason


def test_an_operator_sees_it(place: Place) -> None:
    """Lists go on without it, calls about it say what it is, and ListParked says why."""
    for name in ("broken", "broken-not"):
        place.ask("SubmitApplication", name, **place.form(name))
    database = sqlite3.connect(place.suite.folder / "origination.db", timeout=20)
    change = "UPDATE records SET body = ? WHERE kind = 'Application' AND id = 'broken'"
    [(whole,)] = database.execute("SELECT body FROM records WHERE id = 'broken'").fetchall()
    with database:
        database.execute(change, (whole[: len(whole) // 2],))

    rows = place.suite.call("origination", "ListApplications", filter='borrower_ref != ""')
    parked = place.suite.call("origination", "ListParked")["applications"]
    with pytest.raises(CallRefused) as refusal:
        place.get("broken")
    with database:
        database.execute(change, (whole,))
    database.close()

    assert "broken-not" in [row["applicationId"] for row in rows["applications"]]
    assert [(p["applicationId"], p["status"]) for p in parked] == [
        ("broken", pb.ApplicationStatus.Name(pb.APPLICATION_STATUS_SUBMITTED))
    ]
    assert "truncated" in parked[0]["reason"]
    assert reason_of(refusal.value) == "RECORD_UNREADABLE"
    assert place.suite.call("origination", "ListParked") == {}
    assert place.get("broken")["status"] == "APPLICATION_STATUS_SUBMITTED"
