"""What is personal is sealed per borrower, and gone when the key is destroyed; on both stores."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lending.collections.v1 import contact_service_pb2 as pb
from sqlalchemy import text

from services.collections.application import trail
from services.collections.application.desk import messages_of
from services.collections.application.shredding import (
    DebtorNotSealed,
    DebtorRecordsKept,
    DebtorStillOwes,
    shred_debtor,
)
from services.collections.compose import House
from services.collections.domain.case import Case
from services.collections.domain.contact_rules import Channel, Outcome
from services.collections.domain.debtor import Attempt
from services.collections.entrypoints.contact_service import ContactService
from shared.runtime.vault import AnswerShredded
from tests.services.collections.house import a_house, event, hear
from tests.services.collections.people import proposed
from tests.services.collections.test_sending import protect, shield

SECRETS = ["li.lei@example.com", "+8613812345678", "has cancer", "weeps on the telephone"]
REQUEST = pb.RegisterDebtorRequest(
    request_id="reg-1", borrower_ref="B-1", email=SECRETS[0], phone=SECRETS[1], region="CN-51"
)
LATER = datetime(2031, 3, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Return a house's settings on either store, with a key."""
    file = tmp_path / "personal.key"
    file.write_text(base64.b64encode(os.urandom(32)).decode())
    known: dict[str, Any] = {"personal_key_file": file}
    if request.param == "postgres":
        known["database_url"] = request.getfixturevalue("postgres_url")
    return known


async def lived(house: House) -> None:
    """A borrower who was registered, called, written to, told why, and is cured."""
    await ContactService(house.debtors, house.relief).RegisterDebtor(REQUEST, None)
    await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 35))
    await protect(house, shield("VULNERABLE", note=SECRETS[3]))
    plan = proposed(reason=SECRETS[2])
    async with house.desk.records.work() as work:
        await house.planning.propose(work, "L-1", plan)
        call = Attempt(
            attempt_id="c-1",
            borrower_ref="B-1",
            loan_id="L-1",
            at=datetime(2026, 2, 6, 3, tzinfo=UTC),
            channel=Channel.CALL,
            outcome=Outcome.REACHED,
            specialist=True,
            by="ann",
        )
        await house.desk.contacting.permit(work, call)


async def stored(house: House) -> bytes:
    """Return every row of every table as bytes."""
    found = b""
    async with house.desk.records.engine.connect() as connection:
        for table in ("records", "requests", "outbox"):
            for row in await connection.execute(text(f"SELECT * FROM {table}")):
                found += b"|".join(v if isinstance(v, bytes) else str(v).encode() for v in row)
    assert b"B-1" in found
    return found


async def shred(house: House, now: datetime = LATER) -> None:
    records, policies = house.desk.records, house.desk.contacting.policies
    await shred_debtor(records, policies, "B-1", "asked to be forgotten", now)


async def test_nothing_personal_is_stored_in_the_clear(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Neither in records nor in kept answers nor in messages; and all of it is read back."""
    async with a_house(tmp_path, **settings) as house:
        await lived(house)
        held = await stored(house)
        debtors = ContactService(house.debtors, house.relief)

        assert [secret for secret in SECRETS if secret.encode() in held] == []
        async with house.desk.records.work() as work:
            known = await house.desk.contacting.debtor(work, "B-1")
            assert (known.email, known.phone, known.region) == (*SECRETS[:2], "CN-51")
        again = await debtors.RegisterDebtor(REQUEST, None)
        assert again.region == "CN-51"


async def test_a_shredded_borrower_is_gone_and_the_rest_stays(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Addresses, letters, notes and reasons are; days, channels, amounts and outcomes are not."""
    async with a_house(tmp_path, **settings) as house:
        await lived(house)
        with pytest.raises(DebtorStillOwes):
            await shred(house)
        await hear(house, event(2, "CURED", "2026-02-20", 0))
        with pytest.raises(DebtorRecordsKept):
            await shred(house, datetime(2031, 2, 5, tzinfo=UTC))

        await shred(house)

        async with house.desk.records.work() as work:
            debtor = await house.desk.contacting.debtor(work, "B-1")
            case = await work.get(Case, "L-1")
            letters = await messages_of(work, "L-1")
            made = await trail.attempts(work, "B-1")
            lines = await trail.read(work, "B-1")
        assert case is not None and case.plan is not None
        assert {debtor.email, debtor.phone, debtor.region, case.plan.reason} == {"shredded"}
        assert {one.note for one in debtor.protections} == {"shredded"}
        assert {one.text for one in letters if one.text} <= {"shredded"}
        assert {one.said for one in lines} == {"shredded"}
        assert [one.outcome for one in made if one.by == "ann"] == ["REACHED"]
        assert [fact.type for fact in case.facts] == ["BUCKET_CHANGED", "CURED"]
        with pytest.raises(AnswerShredded):
            await ContactService(house.debtors, house.relief).RegisterDebtor(REQUEST, None)
        with pytest.raises(DebtorNotSealed):
            await shred(house)
