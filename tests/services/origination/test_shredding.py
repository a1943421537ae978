"""What is personal is sealed per borrower, and gone when the borrower's key is destroyed."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from services.origination.application.desk import Desk
from services.origination.application.disclosing import Disclosing, DocumentShredded
from services.origination.application.holding import RecordUnreadable, hold
from services.origination.application.personal import PERSONAL
from services.origination.application.shredding import (
    BorrowerNotSealed,
    BorrowerShredded,
    BorrowerStillApplies,
    account_of,
    shred_borrower,
)
from services.origination.domain.application import (
    Application,
)
from services.origination.domain.state_machine import Status
from shared.runtime.records import Records
from shared.runtime.vault import VaultKeyMissing, VaultKeyWrong, open_vault
from tests.services.origination.killing import NOW
from tests.services.origination.sealing import (
    ACCOUNT,
    NAME,
    NUMBER,
    OTHER,
    SECRETS,
    borrowed,
    key_file,
    sealed_desk,
    store,
)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with sealed_desk(tmp_path) as made:
        yield made


def leaked(folder: Path) -> list[bytes]:
    """Return which secrets stand in any file of the database, its log included."""
    held = b"".join(file.read_bytes() for file in folder.glob("origination.db*"))
    assert b"A-1" in held
    return [secret for secret in SECRETS if secret in held]


async def test_nothing_personal_is_stored_in_the_clear(desk: Desk, tmp_path: Path) -> None:
    """Not in records, documents, messages or the write-ahead log; and all of it is read back."""
    await store(desk, borrowed())

    found = await desk.load("A-1")
    text = await Disclosing(desk).document("A-1", "CONTRACT", "")

    assert leaked(tmp_path) == []
    assert (found.applicant_name, found.identity_number, found.account_ref) == (
        NAME,
        NUMBER,
        ACCOUNT,
    )
    assert (found.co_borrowers[0].name, found.payouts[0].account_ref) == (OTHER, ACCOUNT)
    assert text.en == f"Contract of {NAME}"


async def test_a_draft_of_nobody_known_yet_is_sealed_too(desk: Desk, tmp_path: Path) -> None:
    """The unfinished form says who before there is a reference."""
    form = f'{{"applicantName": "{NAME}"}}'
    draft = borrowed(borrower_ref="", status=Status.DRAFT, draft_json=form)
    async with desk.records.work() as work:
        await desk.keep(await hold(work, Application, draft.application_id), draft)

    assert leaked(tmp_path) == []
    assert (await desk.load("A-1")).draft_json == form


async def test_a_shredded_borrower_is_gone_and_the_rest_stays(desk: Desk) -> None:
    """Name, number, account and contract read as shredded; amounts, hashes, others do not."""
    await store(desk, borrowed())
    before = await desk.load("A-1")

    await shred_borrower(desk.records, "B-1", "asked to be forgotten", NOW)

    after = await desk.load("A-1")
    gone = ("applicant_name", "identity_number", "account_ref")
    assert [getattr(after, name) for name in gone] == ["shredded"] * 3
    assert after.payouts[0].account_ref == "shredded"
    with pytest.raises(BorrowerShredded):
        account_of(after)
    assert (after.purpose, after.attributes) == ("shredded", {"telephone": "shredded"})
    assert after.co_borrowers == before.co_borrowers
    words = ("purpose", "attributes", "trail")
    assert [line.step for line in after.trail] == [line.step for line in before.trail]
    kept = {name: getattr(before, name) for name in (*gone, *words, "payouts")}
    assert msgspec.structs.replace(after, **kept) == before
    with pytest.raises(DocumentShredded, match="c" * 64):
        await Disclosing(desk).document("A-1", "CONTRACT", "")


async def test_what_was_shredded_is_not_stored_again(desk: Desk, tmp_path: Path) -> None:
    """Also not by a step that still had it in memory."""
    await store(desk, borrowed())
    await shred_borrower(desk.records, "B-1", "asked to be forgotten", NOW)

    await store(desk, borrowed())

    assert (await desk.load("A-1")).applicant_name == "shredded"
    assert leaked(tmp_path) == []


@pytest.mark.parametrize("status", [Status.CONTRACTED, Status.DISBURSING, Status.REFERRED])
async def test_an_application_under_way_needs_its_data(desk: Desk, status: Status) -> None:
    """Nothing is paid to a shredded account; nor is a co-borrower forgotten before."""
    await store(desk, borrowed(status=status))

    for borrower in ("B-1", "B-2"):
        with pytest.raises(BorrowerStillApplies):
            await shred_borrower(desk.records, borrower, "asked to be forgotten", NOW)


async def test_nobody_is_shredded_twice(desk: Desk) -> None:
    """A borrower without a key is not there, and the second time there is none."""
    await store(desk, borrowed())
    await shred_borrower(desk.records, "B-1", "asked to be forgotten", NOW)

    for borrower in ("B-1", "B-9"):
        with pytest.raises(BorrowerNotSealed):
            await shred_borrower(desk.records, borrower, "asked to be forgotten", NOW)


async def test_another_key_opens_nothing(desk: Desk, tmp_path: Path) -> None:
    """It is an error, not an empty name."""
    await store(desk, borrowed())
    vault = open_vault(key_file(tmp_path, "other.key"), PERSONAL)

    with pytest.raises(RecordUnreadable) as unreadable:
        await replace(desk, records=Records(desk.records.engine, vault=vault)).load("A-1")
    assert isinstance(unreadable.value.__cause__, VaultKeyWrong)


async def test_what_was_stored_before_there_was_a_vault_is_read(desk: Desk, tmp_path: Path) -> None:
    """And sealed by the next step."""
    plain = replace(desk, records=Records(desk.records.engine))
    await store(plain, borrowed())
    assert leaked(tmp_path) != []

    found = await desk.load("A-1")
    await store(desk, found)

    assert found == await desk.load("A-1")
    assert (await plain.load("A-1")).applicant_name.startswith("sealed/1/B-1/")


@pytest.mark.parametrize("text", ["", "too short", base64.b64encode(b"k" * 16).decode()])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, text: str) -> None:
    """Before anything is sealed with it."""
    (tmp_path / "key").write_text(text)

    with pytest.raises(VaultKeyMissing):
        open_vault(tmp_path / "key", PERSONAL)
