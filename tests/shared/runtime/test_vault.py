"""What is sealed of a person opens again, whatever the person's reference looks like."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.runtime.database import open_database
from shared.runtime.records import Records
from shared.runtime.vault import AnswerShredded, open_vault


def records_in(folder: Path) -> Records:
    (folder / "personal.key").write_text(b64encode(bytes(32)).decode())
    url = f"sqlite+aiosqlite:///{folder}/records.db"
    return Records(open_database(url), vault=open_vault(folder / "personal.key", {}))


@pytest.mark.parametrize("who", ["B-0001", "branch/7", "a/b/c", "/", "客户-1"])
async def test_an_answer_about_anybody_opens_until_they_are_shredded(
    tmp_path: Path, who: str
) -> None:
    records = records_in(tmp_path)
    await records.create(1)
    vault = records.vault
    assert vault is not None
    async with records.work() as work:
        kept = await vault.sealed_answer(work.connection, who, b"the answer")
        assert b"the answer" not in kept
        assert await vault.opened_answer(work.connection, kept) == b"the answer"
        assert await vault.shred(work.connection, who, "asked for", datetime.now(UTC))
        with pytest.raises(AnswerShredded):
            await vault.opened_answer(work.connection, kept)
    await records.engine.dispose()
