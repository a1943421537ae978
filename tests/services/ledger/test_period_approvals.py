"""A pack about a period says whether what needs four eyes was approved, also days before."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from pathlib import Path

import pytest

from services.ledger.domain import commands as cmd
from shared.audit.packing import PackInvalid, unpacked
from shared.audit.verify_pack import verify
from tests.services.ledger.book import Book
from tests.services.ledger.test_period import key_of, pack_of, resigned
from tests.tamper.vault import Vault, approve, copied, live, new_vault, sealed


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return new_vault(tmp_path_factory.mktemp("approvals") / "original")


def held_reversal(vault: Vault, folder: Path) -> tuple[Vault, bytes]:
    """Return a pack of a day on which something is done that was approved days before."""
    copy = copied(vault, folder)

    async def days_later(book: Book) -> None:
        change = {"request_id": "held-1", "body_sha256": "hash-held"}
        await approve(book, "ReverseRepayment", "L-1", **change)
        for day in (11, 12, 13):
            await book.go_to(date(2026, 7, day))
            await asyncio.to_thread(lambda: asyncio.run(sealed(copy)))
        repaid = [e for e in book.writer.log.stream("loan/L-1") if hasattr(e, "allocations")]
        back = cmd.ReverseRepayment(
            loan_id="L-1",
            request_id="held-1",
            recorded_at=book.now(),
            business_on=None,
            repayment_id=repaid[-1].repayment_id,
            reason="bounced",
        )
        await book.writer.ask(back, "hash-held")
        for day in (14, 15):
            await book.go_to(date(2026, 7, day))

    asyncio.run(live(copy, days_later))
    asyncio.run(sealed(copy))
    return copy, pack_of(copy, (date(2026, 7, 13), date(2026, 7, 13)))


def test_what_was_approved_before_the_pack_is_proven_in_it(vault: Vault, tmp_path: Path) -> None:
    """Rule and approval come with their proofs; without the approval the change is named."""
    copy, pack = held_reversal(vault, tmp_path / "copy")
    files = unpacked(pack)
    rows = json.loads(files["approvals.json"])

    held = next(s for s in verify(pack, key_of(copy)) if "four eyes" in s.name)

    assert held.count == 1
    assert [json.loads(row["leaf"].split("\n")[0])[1] for row in rows] == [
        "approval-rule",
        "approval/held-1",
    ]
    lies = {
        "no second person": rows[:1],
        "not under": [rows[0], {**rows[1], "path": rows[1]["path"][::-1]}],
    }
    for says, lie in lies.items():
        forged = resigned(copy, {**files, "approvals.json": json.dumps(lie).encode()})
        with pytest.raises(PackInvalid, match=says):
            verify(forged, key_of(copy))
