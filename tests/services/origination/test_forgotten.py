"""Whatever names a person is sealed, and a destroyed key is destroyed: in every file, for ever."""

from __future__ import annotations

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
from services.origination.application.shredding import (
    BorrowerShredded,
    shred_borrower,
)
from services.origination.application.submitting import Submitting
from services.origination.compose import APPLICATION_ID
from services.origination.domain.application import (
    Application,
    ApplicationNotFound,
    Review,
    TrailEntry,
)
from services.origination.domain.payouts import Payout
from services.origination.domain.securities import GUARANTOR, Collateral, Guarantee, Insurance
from services.origination.domain.state_machine import Status
from shared.runtime.database import open_database
from shared.runtime.postgres_server import start_postgres
from shared.runtime.records import Records
from shared.runtime.vault import KEYS
from tests.services.origination.killing import NOW, TODAY
from tests.services.origination.sealing import (
    NAME,
    NUMBER,
    borrowed,
    sealed_desk,
    store,
)
from tests.system.processes import free_port


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with sealed_desk(tmp_path) as made:
        yield made


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

    joint = await shred_borrower(desk.records, "B-2", "asked to be forgotten", NOW)
    assert (joint.named, joint.left) == (["A-1"], [])
    assert (await desk.load("A-1")).co_borrowers[0].name == "shredded"
    alone = await shred_borrower(desk.records, "B-1", "asked to be forgotten", NOW)
    assert (alone.named, alone.left) == ([], [])


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
