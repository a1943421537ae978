"""An auditor looks at a loan that was declared due: the whole book, its pack, the second person."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from pathlib import Path

import pytest

from services.ledger.domain import commands as cmd
from services.ledger.domain.facts import AccelerationGround
from shared.audit.packing import PackInvalid, unpacked
from shared.audit.verify_pack import verify
from tests.services.ledger.book import Book
from tests.services.ledger.test_evidence import key_of, pack_of
from tests.tamper.vault import Vault, approve, copied, live, new_vault, rule, sealed

ON = date(2026, 8, 3)
DUE = {"ground": AccelerationGround.ARREARS, "notified_on": date(2026, 7, 20)}
WHY = {"reason": "six instalments unpaid", "approved_by": "Li"}


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return new_vault(tmp_path_factory.mktemp("accelerated") / "original")


def declared(vault: Vault, folder: Path, *approved: str) -> Vault:
    """Return a copy of the book in which a loan was declared due, with these approvals before."""

    async def after(book: Book) -> None:
        rule(book, "AccelerateLoan", "WithdrawAcceleration")
        await book.go_to(ON)
        for method in approved:
            await approve(book, method, "L-1")
        await book.ask(cmd.AccelerateLoan, "L-1", effective_on=ON, **DUE, **WHY)
        await book.go_to(date(2026, 9, 10))

    copy = copied(vault, folder)
    asyncio.run(live(copy, after))
    asyncio.run(sealed(copy))
    return copy


def test_the_whole_book_is_derived_again(vault: Vault, tmp_path: Path) -> None:
    """Log, lateness, tables, control accounts and the pack agree; the story says what happened."""
    book = declared(vault, tmp_path / "copy", "AccelerateLoan")

    pack = pack_of(book, "L-1", date(2026, 9, 10)).data

    wrong = {name: found for name, found in book.check().items() if found}
    assert wrong == {}
    assert any("four eyes" in step.name and step.count for step in verify(pack, key_of(book)))
    told = unpacked(pack)["story.txt"].decode()
    assert "On 2026-08-03 the lender declared everything due; ground: arrears." in told


def test_without_a_second_person_it_is_named(vault: Vault, tmp_path: Path) -> None:
    """Where the ledger's rule holds it, an acceleration that nobody else approved does not pass."""
    book = declared(vault, tmp_path / "copy")

    with pytest.raises(PackInvalid, match="no second person approved it"):
        verify(pack_of(book, "L-1", date(2026, 9, 10)).data, key_of(book))


def test_another_sum_than_what_follows_is_found(vault: Vault, tmp_path: Path) -> None:
    """Who writes more into the log than fell due is found by the replay."""
    book = declared(vault, tmp_path / "copy", "AccelerateLoan")
    (row,) = book.rows(topic="LoanAccelerated")
    said = json.loads(row.state)

    book.write(row, {**said, "principal_minor": said["principal_minor"] + 1})

    assert any("what fell due early" in line for found in book.check().values() for line in found)
