"""What is personal is sealed per borrower, and gone when the borrower's key is destroyed."""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from lending.origination.v1 import origination_service_pb2 as pb
from sqlalchemy import select

from services.origination import wire_draft
from services.origination.application.desk import Desk
from services.origination.application.disclosing import Disclosing, DocumentShredded
from services.origination.application.holding import hold
from services.origination.application.personal import PERSONAL
from services.origination.application.shredding import (
    BorrowerNotSealed,
    BorrowerShredded,
    BorrowerStillApplies,
    account_of,
    shred_borrower,
)
from services.origination.application.submitting import Submitting
from services.origination.application.writing import Written
from services.origination.compose import APPLICATION_ID
from services.origination.domain.application import (
    Application,
    ApplicationNotFound,
    CoBorrower,
    Review,
    TrailEntry,
)
from services.origination.domain.payouts import Payout
from services.origination.domain.securities import GUARANTOR, Collateral, Guarantee, Insurance
from services.origination.domain.state_machine import Status
from shared.runtime.database import open_database
from shared.runtime.postgres_server import start_postgres
from shared.runtime.records import Records
from shared.runtime.vault import KEYS, VaultKeyMissing, VaultKeyWrong, open_vault
from tests.services.origination.killing import NOW, POLICIES, TODAY, TOLD, FakeLedger, contracted
from tests.system.processes import free_port

NAME, NUMBER, ACCOUNT = "Li Lei of Harbin", "230103199001017788", "6222020200112233"
OTHER = "Han Meimei of Dalian"
SECRETS = [text.encode() for text in (NAME, NUMBER, ACCOUNT, OTHER)]


def borrowed(**other: object) -> Application:
    given = {
        "applicant_name": NAME,
        "identity_number": NUMBER,
        "account_ref": ACCOUNT,
        "status": Status.DISBURSED,
        "attributes": {"telephone": "yes, under the name"},
        "payouts": (
            Payout(
                payout_id="P-1",
                account_ref=ACCOUNT,
                amount_minor=100_000,
                value_on=TODAY,
                reference="R",
            ),
        ),
        "co_borrowers": (CoBorrower(borrower_ref="B-2", name=OTHER, identity_number=NUMBER),),
    }
    return msgspec.structs.replace(contracted(), **{**given, **other})


def key_file(folder: Path, name: str = "personal.key") -> Path:
    file = folder / name
    file.write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
    return file


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    engine = open_database(f"sqlite+aiosqlite:///{tmp_path}/origination.db")
    records = Records(engine, vault=open_vault(key_file(tmp_path), PERSONAL))
    await records.create(APPLICATION_ID)
    yield Desk(records, FakeLedger(), POLICIES, *TOLD, lambda: NOW)
    await engine.dispose()


async def store(desk: Desk, application: Application) -> None:
    text = Written(f"合同 {NAME}", f"Contract of {NAME}", "c" * 64)
    signed = msgspec.structs.replace(application, contract_sha256=text.sha256)
    async with desk.records.work() as work:
        await desk.keep(await hold(work, Application, signed.application_id), signed)
        await desk.show(work, signed, "CONTRACT", text)


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


async def test_what_people_and_banks_wrote_is_sealed(desk: Desk, tmp_path: Path) -> None:
    """A number plate, a policy, a reviewer's words and the bank's; and gone with the key."""
    words = ("plate A-12345", "PGI-778", "his wife called", "account of Li closed", "roof repair")
    thing = Collateral(description=words[0], value_minor=1, valued_on=TODAY, prior_liens_minor=0)
    policy = Insurance(
        policy_number=words[1],
        valid_from=TODAY,
        valid_until=TODAY,
        cover_share=Decimal(1),
        deductible_minor=0,
        waiting_days=0,
    )
    review = Review(reviewer_ref="officer-1", approves=False, reason=words[2], at=NOW)
    back = Payout(
        payout_id="P-1", account_ref="", amount_minor=1, value_on=TODAY, returned=words[3]
    )
    line = TrailEntry(step="return", status="PAYOUT_RETURNED", at=NOW, by="bank", note=words[3])
    securities = [
        Guarantee(guarantee_id="G-1", kind=GUARANTOR, provider_ref="G-1", amount_minor=1, **one)
        for one in ({"collateral": thing}, {"insurance": policy})
    ]
    given = {"guarantees": tuple(securities), "reviews": (review,), "payouts": (back,)}
    given |= {"trail": (line,), "purpose": words[4], "status": Status.WITHDRAWN}
    await store(desk, borrowed(**given))
    held = b"".join(file.read_bytes() for file in tmp_path.glob("origination.db*"))

    await shred_borrower(desk.records, "B-1", "asked to be forgotten", NOW)
    after = await desk.load("A-1")

    assert [word for word in words if word.encode() in held] == []
    assert [word for word in words if word in str(after)] == []
    assert [g.amount_minor for g in after.guarantees] == [1, 1]


async def test_what_is_older_than_the_vault_is_shredded_too(desk: Desk) -> None:
    """Records and documents from before the key file are sealed before the key is destroyed."""
    plain = replace(desk, records=Records(desk.records.engine))
    await store(plain, borrowed())

    await shred_borrower(desk.records, "B-1", "asked to be forgotten", NOW)

    assert (await desk.load("A-1")).applicant_name == "shredded"
    assert NAME not in str(await plain.load("A-1"))
    with pytest.raises(DocumentShredded):
        await Disclosing(desk).document("A-1", "CONTRACT", "")


async def test_who_was_shredded_applies_under_another_reference(desk: Desk) -> None:
    """What they say now could not be kept under the old one, and is not lost unseen."""
    await store(desk, borrowed())
    await shred_borrower(desk.records, "B-1", "asked to be forgotten", NOW)
    form = pb.SubmitApplicationRequest(request_id="d-1", application_id="A-9", borrower_ref="B-1")
    form.product, form.applied_on, form.applicant_name = "consumer-2026", str(TODAY), NAME
    joint = pb.SubmitApplicationRequest()
    joint.CopyFrom(form)
    joint.borrower_ref, joint.request_id = "B-7", "d-2"
    joint.co_borrowers.add(borrower_ref="B-1", name=NAME, identity_number=NUMBER)
    whole = pb.SubmitApplicationRequest()
    whole.CopyFrom(form)
    whole.request_id, whole.instalments, whole.method = "d-3", 12, 1
    whole.identity_number, whole.purpose = NUMBER, "roof"
    for money in (whole.amount, whole.monthly_income, whole.monthly_debt_payments):
        money.amount_minor, money.currency = 100_000, "CNY"
    submitting = Submitting(desk, wire_draft)

    for refused in (submitting.draft(form), submitting.submit(whole)):
        with pytest.raises(BorrowerShredded):
            await refused
    drafted = await submitting.draft(joint)  # a draft's other people are in its form only

    assert drafted.status == pb.APPLICATION_STATUS_DRAFT
    with pytest.raises(ApplicationNotFound):
        await desk.load("A-10")


async def test_a_draft_of_nobody_is_shredded_by_its_own_name(desk: Desk) -> None:
    """And the form of one that ended is not kept at all."""
    form = f'{{"applicantName": "{NAME}"}}'
    draft = borrowed(borrower_ref="", status=Status.DRAFT, draft_json=form, co_borrowers=())
    async with desk.records.work() as work:
        held = await hold(work, Application, "A-1")
        await desk.keep(held, draft)
        await desk.keep(held, msgspec.structs.replace(draft, status=Status.EXPIRED))

    assert (await desk.load("A-1")).draft_json == ""
    await shred_borrower(desk.records, "A-1", "asked to be forgotten", NOW)
    assert (await desk.load("A-1")).applicant_name == "shredded"


async def test_who_else_is_named_in_a_document_is_said(desk: Desk) -> None:
    """A co-borrower's name stays in the contract, which is sealed for the borrower."""
    await store(desk, borrowed())

    assert await shred_borrower(desk.records, "B-2", "asked to be forgotten", NOW) == ["A-1"]
    assert (await desk.load("A-1")).co_borrowers[0].name == "shredded"
    assert await shred_borrower(desk.records, "B-1", "asked to be forgotten", NOW) == []


async def wrapped(records: Records) -> bytes:
    """Return the key of a borrower as it is stored, wrapped by the vault's own."""
    async with records.engine.connect() as connection:
        query = select(KEYS.c.wrapped).where(KEYS.c.subject == "B-1")
        return bytes((await connection.execute(query)).scalar_one())


def files_with(folder: Path, what: bytes) -> list[str]:
    files = [file for file in folder.rglob("*") if file.is_file() and "pg_wal" not in file.parts]
    return [file.name for file in files if what in file.read_bytes()]


async def test_a_destroyed_key_is_in_no_file(desk: Desk, tmp_path: Path) -> None:
    """Not in SQLite's freed pages, nor in its log: who holds the vault's key opens nothing."""
    await store(desk, borrowed())
    key = await wrapped(desk.records)
    assert files_with(tmp_path, key) != []

    await shred_borrower(desk.records, "B-1", "asked to be forgotten", NOW)

    assert files_with(tmp_path, key) == []


async def test_a_destroyed_key_is_in_no_table_of_postgresql(desk: Desk, tmp_path: Path) -> None:
    """Its dead row is written over; left is the write-ahead log, which PostgreSQL reuses."""
    folder = Path(tempfile.mkdtemp(prefix="duebook-pg-"))
    server = start_postgres(folder / "cluster", free_port())
    records = Records(open_database(server.url()), vault=desk.records.vault)
    await records.create(APPLICATION_ID)
    there = replace(desk, records=records)
    await store(there, borrowed())
    key = await wrapped(records)

    async with records.work() as work:
        await work.connection.exec_driver_sql("CHECKPOINT")
    before = files_with(folder, key)
    await shred_borrower(records, "B-1", "asked to be forgotten", NOW)
    async with records.work() as work:
        await work.connection.exec_driver_sql("CHECKPOINT")
    after = files_with(folder, key)
    await records.engine.dispose()
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)

    assert (len(before), after) == (1, [])


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

    with pytest.raises(VaultKeyWrong):
        await replace(desk, records=Records(desk.records.engine, vault=vault)).load("A-1")


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
