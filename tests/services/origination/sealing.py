"""A desk whose records are sealed, and a borrower with everything that is personal."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from services.origination.application.desk import Desk
from services.origination.application.holding import hold
from services.origination.application.personal import PERSONAL
from services.origination.application.writing import Written
from services.origination.compose import APPLICATION_ID
from services.origination.domain.application import (
    Application,
    CoBorrower,
)
from services.origination.domain.payouts import Payout
from services.origination.domain.state_machine import Status
from shared.runtime.database import open_database
from shared.runtime.records import Records
from shared.runtime.vault import open_vault
from tests.services.origination.killing import NOW, POLICIES, TODAY, TOLD, FakeLedger, contracted

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


async def store(desk: Desk, application: Application) -> None:
    text = Written(f"合同 {NAME}", f"Contract of {NAME}", "c" * 64)
    signed = msgspec.structs.replace(application, contract_sha256=text.sha256)
    async with desk.records.work() as work:
        await desk.keep(await hold(work, Application, signed.application_id), signed)
        await desk.show(work, signed, "CONTRACT", text)


@asynccontextmanager
async def sealed_desk(folder: Path) -> AsyncIterator[Desk]:
    """Open a desk over an empty database in a folder, with a key to seal by."""
    engine = open_database(f"sqlite+aiosqlite:///{folder}/origination.db")
    records = Records(engine, vault=open_vault(key_file(folder), PERSONAL))
    await records.create(APPLICATION_ID)
    yield Desk(records, FakeLedger(), POLICIES, *TOLD, lambda: NOW)
    await engine.dispose()
