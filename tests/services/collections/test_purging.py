"""Records of contact are kept for five years and no longer; what was deleted is written down."""

from __future__ import annotations

import asyncio
import base64
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from lending.collections.v1 import contact_service_pb2 as pb
from typer.testing import CliRunner

from services.collections.application import trail
from services.collections.application.desk import messages_of
from services.collections.application.purging import Kept, Purged, due_for_purge, purge_debtor
from services.collections.application.shredding import DebtorRecordsKept, DebtorStillOwes
from services.collections.application.trail import Where
from services.collections.compose import House
from services.collections.domain.case import Case
from services.collections.domain.contact_rules import ProtectionKind
from services.collections.domain.task import Task
from services.collections.entrypoints.cli import app
from services.collections.entrypoints.contact_service import ContactService
from shared.runtime.vault import AnswerShredded, VaultKeyMissing
from tests.services.collections.house import a_house, event, hear
from tests.services.collections.test_sending import protect, shield
from tests.services.collections.test_shredding import REQUEST, SECRETS, lived, settings, stored

__all__ = ["settings"]
TOLD = ("lead-1", "kept for five years")
CURED_ON, KEPT_UNTIL = "2026-02-20", date(2031, 2, 20)


async def purge(house: House, now: datetime) -> Purged:
    records, policies = house.desk.records, house.desk.contacting.policies
    return await purge_debtor(records, policies, "B-1", TOLD, now)


async def due(house: House, on: date) -> list[Kept]:
    records, policies = house.desk.records, house.desk.contacting.policies
    return [kept async for kept in due_for_purge(records, policies, on)]


def at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


async def test_nothing_is_deleted_before_its_time(tmp_path: Path, settings: dict[str, Any]) -> None:
    """While the case is open, and until five years from the last thing that happened."""
    async with a_house(tmp_path, **settings) as house:
        await lived(house)
        with pytest.raises(DebtorStillOwes):
            await purge(house, datetime(2040, 1, 1, tzinfo=UTC))
        assert await due(house, date(2040, 1, 1)) == []

        await hear(house, event(2, "CURED", CURED_ON, 0))
        with pytest.raises(DebtorRecordsKept) as refused:
            await purge(house, datetime(2031, 2, 19, 23, tzinfo=UTC))

        assert refused.value.expected == f"from {KEPT_UNTIL}"
        assert await due(house, date(2031, 2, 19)) == []
        assert [kept.debtor.borrower_ref for kept in await due(house, KEPT_UNTIL)] == ["B-1"]


async def test_what_was_kept_long_enough_is_gone_and_that_is_written_down(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Attempts, letters, trail, tasks, addresses, answers; the case and a wish stay."""
    async with a_house(tmp_path, **settings) as house:
        await lived(house)
        await protect(house, shield("CEASED"))
        await hear(house, event(2, "CURED", CURED_ON, 0))
        seen = (await due(house, KEPT_UNTIL))[0]

        done = await purge(house, at(KEPT_UNTIL))

        held = await stored(house)
        async with house.desk.records.work() as work:
            debtor = await house.desk.contacting.debtor(work, "B-1")
            case = await work.get(Case, "L-1")
            left = (
                await trail.attempts(work, "B-1"),
                await trail.read(work, "B-1"),
                await messages_of(work, "L-1"),
                [one async for one in work.every(Task)],
                [one async for one in work.every(Where)],
            )
            known = [one async for one in work.every(Purged)]
        assert left == ([], [], [], [], [])
        assert known == [done]
        assert (done.attempts, done.lines) == tuple(
            len(seen.records[kind]) for kind in (trail.Attempt, trail.Entry)
        )
        assert min(done.attempts, done.messages, done.lines) > 0
        assert (done.by, done.reason, done.kept_until) == (*TOLD, KEPT_UNTIL)
        assert (debtor.email, debtor.phone, debtor.region) == ("", "", "")
        assert ProtectionKind.CEASED in {one.kind for one in debtor.protections}
        assert case is not None and case.plan is not None and case.plan.reason == ""
        assert [fact.type for fact in case.facts] == ["BUCKET_CHANGED", "CURED"]
        assert [secret for secret in SECRETS if secret.encode() in held] == []
        with pytest.raises(AnswerShredded):
            await ContactService(house.debtors, house.relief).RegisterDebtor(REQUEST, None)
        assert await due(house, date(2060, 1, 1)) == []


async def test_who_returns_is_known_again_and_replay_writes_to_nobody(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    """A new key for a new time; events heard before change nothing, whoever was purged."""
    again = pb.RegisterDebtorRequest()
    again.CopyFrom(REQUEST)
    again.request_id = "reg-2"
    async with a_house(tmp_path, **settings) as house:
        await lived(house)
        await hear(house, event(2, "CURED", CURED_ON, 0))
        await purge(house, at(KEPT_UNTIL))

        await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 35))
        async with house.desk.records.work() as work:
            assert await messages_of(work, "L-1") == []
        told = await ContactService(house.debtors, house.relief).RegisterDebtor(again, None)
        await hear(house, event(3, "BUCKET_CHANGED", "2031-05-06", 35))

        async with house.desk.records.work() as work:
            debtor = await house.desk.contacting.debtor(work, "B-1")
            assert (debtor.email, debtor.region) == (SECRETS[0], told.region)
            assert len(await messages_of(work, "L-1")) > 0


async def test_without_a_key_nothing_is_purged(tmp_path: Path) -> None:
    """Kept answers cannot be told from one another: it says so, rather than leave half."""
    async with a_house(tmp_path) as house:
        await lived(house)
        with pytest.raises(VaultKeyMissing):
            await purge(house, datetime(2040, 1, 1, tzinfo=UTC))


async def test_at_a_terminal_first_a_preview_then_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a book of six years ago: said, refused without a name, done, and nothing is left."""
    file = tmp_path / "personal.key"
    file.write_text(base64.b64encode(os.urandom(32)).decode())
    async with a_house(tmp_path, personal_key_file=file) as house:
        old = f"{date.today().year - 6}-02-06"
        await hear(house, event(1, "BUCKET_CHANGED", old, 35), event(2, "CURED", old, 0))
        await hear(house, event(1, "BUCKET_CHANGED", old, 35, loan="L-2", borrower="B-2"))
    monkeypatch.setenv("COLLECTIONS_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/collections.db")
    monkeypatch.setenv("COLLECTIONS_PERSONAL_KEY_FILE", str(file))

    def told(*words: str) -> tuple[int, str]:
        found = CliRunner().invoke(app, ["purge", *words])
        return found.exit_code, found.output

    runs = await asyncio.to_thread(
        lambda: [
            told(),
            told("--yes"),
            told("--yes", "--by", "lead-1"),
            told(),
            told("B-2", "--yes", "--by", "lead-1"),
        ]
    )

    assert [code for code, _ in runs] == [0, 1, 0, 0, 1]
    assert (
        "of 1 borrowers: 1 attempts, 1 messages, 2 lines" in runs[0][1]
        and "B-1 since" in runs[0][1]
    )
    assert "FIELD_MISSING" in runs[1][1]
    assert "1 borrowers done" in runs[2][1]
    assert "of 0 borrowers" in runs[3][1]
    assert "DEBTOR_STILL_OWES" in runs[4][1]
