"""A record that cannot be read keeps nobody from being forgotten: it is named, and goes later."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from services.origination.application.desk import Desk
from services.origination.application.parking import parked
from services.origination.application.shredding import (
    BorrowerNotSealed,
    BorrowerStillApplies,
    Shredded,
    shred_borrower,
)
from services.origination.domain.state_machine import Status
from shared.runtime.records import Records
from tests.services.origination.killing import NOW
from tests.services.origination.sealing import NAME, borrowed, sealed_desk, store

WHY = "asked to be forgotten"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with sealed_desk(tmp_path) as made:
        yield made


async def put_body(desk: Desk, name: str, given: bytes) -> None:
    """Put bytes in the place of a stored record's."""
    async with desk.records.engine.begin() as connection:
        change = text("UPDATE records SET body = :given WHERE id = :name")
        await connection.execute(change, {"name": name, "given": given})


async def spoil(desk: Desk, name: str, length: int = -30) -> bytes:
    """Cut a record off, and return how it was."""
    async with desk.records.engine.begin() as connection:
        query = text("SELECT body FROM records WHERE id = :name")
        whole = bytes((await connection.execute(query, {"name": name})).scalar_one())
    await put_body(desk, name, whole[:length])
    return whole


async def shred(desk: Desk, who: str = "B-1") -> Shredded:
    return await shred_borrower(desk.records, who, WHY, NOW)


def left(shredded: Shredded) -> list[tuple[str, str, str]]:
    return [(one.kind, one.record_id, one.state) for one in shredded.left]


async def test_the_readable_ones_are_shredded_and_the_other_is_named(desk: Desk) -> None:
    """Mended later, what was sealed in it reads as shredded as well."""
    await store(desk, borrowed(application_id="A-0"))
    await store(desk, borrowed())
    whole = await spoil(desk, "A-0")

    done = await shred(desk)

    assert left(done) == [("Application", "A-0", "DISBURSED")]
    assert "truncated" in done.left[0].why
    assert (await desk.load("A-1")).applicant_name == "shredded"
    assert [one.application_id for one in await parked(desk.records, NOW, "", 9)] == ["A-0"]
    await put_body(desk, "A-0", whole)
    assert (await desk.load("A-0")).applicant_name == "shredded"


async def test_what_was_never_sealed_goes_once_it_is_mended(desk: Desk) -> None:
    """A name in plain in a broken record: shredding again takes it, and then nothing is left."""
    plain = replace(desk, records=Records(desk.records.engine))
    await store(plain, borrowed(application_id="A-0"))
    await store(desk, borrowed())
    whole = await spoil(desk, "A-0")
    await shred(desk)
    with pytest.raises(BorrowerNotSealed):
        await shred(desk)
    await put_body(desk, "A-0", whole)
    assert (await desk.load("A-0")).applicant_name == NAME

    again = await shred(desk)

    assert left(again) == []
    assert (await desk.load("A-0")).applicant_name == "shredded"
    assert NAME not in str(await plain.load("A-0"))
    with pytest.raises(BorrowerNotSealed):
        await shred(desk)


@pytest.mark.parametrize("status", [Status.DISBURSING, Status.REFERRED, Status.CONTRACTED])
async def test_money_on_its_way_needs_its_account_also_unread(desk: Desk, status: Status) -> None:
    """Where it stands and whose it is can be seen: the account is not destroyed unseen."""
    await store(desk, borrowed(application_id="A-0", status=status))
    await store(desk, borrowed())
    await spoil(desk, "A-0")

    for who in ("B-1", "B-2"):
        with pytest.raises(BorrowerStillApplies, match="A-0"):
            await shred(desk, who)
    assert (await desk.load("A-1")).applicant_name == NAME


async def test_another_borrowers_broken_record_is_not_this_ones_matter(desk: Desk) -> None:
    """One of another shape that names others is passed over; cut off it may name anybody."""
    other = {"borrower_ref": "B-5", "co_borrowers": (), "signatures": ()}
    for name in ("A-0", "A-2"):
        await store(desk, borrowed(application_id=name, **other))
    await store(desk, borrowed())
    whole = await spoil(desk, "A-0")
    await put_body(desk, "A-0", whole.replace(b'"amount_minor":', b'"amount_major":'))
    await spoil(desk, "A-2", 40)

    done = await shred(desk)

    assert left(done) == [("Application", "A-2", "DISBURSED")]


async def test_a_document_that_cannot_be_read_is_named_and_the_next_is_sealed(desk: Desk) -> None:
    """Also the documents of an application that cannot be read itself."""
    plain = replace(desk, records=Records(desk.records.engine))
    await store(plain, borrowed(application_id="A-0"))
    await store(plain, borrowed())
    await store(desk, borrowed(application_id="A-3"))
    await spoil(desk, "A-0")
    await spoil(desk, f"A-1/CONTRACT/{'c' * 16}")

    done = await shred(desk)

    assert left(done) == [
        ("Application", "A-0", "DISBURSED"),
        ("Shown", f"A-1/CONTRACT/{'c' * 16}", ""),
    ]
    async with desk.records.engine.begin() as connection:
        query = text("SELECT body FROM records WHERE id = :name")
        named = {"name": f"A-0/CONTRACT/{'c' * 16}"}
        body = bytes((await connection.execute(query, named)).scalar_one())
    assert NAME.encode() not in body


async def test_the_command_says_what_is_left_and_ends_with_3(desk: Desk, tmp_path: Path) -> None:
    """A script that shreds learns that somebody has to look; mended, it ends with 0."""
    plain = replace(desk, records=Records(desk.records.engine))
    await store(plain, borrowed(application_id="A-0"))
    await store(desk, borrowed())
    whole = await spoil(desk, "A-0")

    first = command(tmp_path)
    await put_body(desk, "A-0", whole)
    second = command(tmp_path)

    assert (first.returncode, second.returncode) == (3, 0), first.stderr + second.stderr
    assert "B-1 is shredded" in first.stdout
    assert "Application A-0 (DISBURSED) cannot be read" in first.stderr
    assert "1 left: shred again once" in first.stderr
    assert "Traceback" not in first.stderr
    assert (second.stdout.strip(), second.stderr) == ("B-1 is shredded", "")


def command(folder: Path) -> subprocess.CompletedProcess[str]:
    given = {
        "ORIGINATION_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/origination.db",
        "ORIGINATION_PERSONAL_KEY_FILE": str(folder / "personal.key"),
    }
    run = [sys.executable, "-m", "services.origination", "shred", "B-1", "--reason", WHY, "--yes"]
    return subprocess.run(
        run,
        cwd=folder,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
