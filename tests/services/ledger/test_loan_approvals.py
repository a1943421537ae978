"""A pack about one loan says whether what needs four eyes was approved, as packs of periods do."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from services.ledger.domain import commands as cmd
from shared.audit.packing import PackInvalid, unpacked
from shared.audit.verify_pack import verify
from tests.services.ledger.book import Book
from tests.services.ledger.test_evidence import key_of, pack_of, resigned
from tests.tamper.vault import Vault, approve, copied, live, new_vault, sealed


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return new_vault(tmp_path_factory.mktemp("loan-approvals") / "original")


def held(vault: Vault, loan_id: str) -> int:
    """Return how many changes a pack holds against rules and approvals."""
    steps = verify(pack_of(vault, loan_id).data, key_of(vault))
    return next(step.count for step in steps if "four eyes" in step.name)


def test_the_approval_is_proven_in_the_pack(vault: Vault) -> None:
    """Rule, approval and answer come with their proofs; a lie about any of them is named."""
    pack = pack_of(vault, "L-2")
    files = unpacked(pack.data)
    rows = json.loads(files["approvals.json"])

    assert (held(vault, "L-2"), held(vault, "L-0"), held(vault, "L-3")) == (1, 1, 0)
    rule, approval, answer = rows
    names = [json.loads(row["leaf"].split("\n")[0])[1] for row in rows]
    assert names[0] == "approval-rule"
    assert [name.partition("/")[0] for name in names[1:]] == ["approval", "request"]
    others = [row for row in json.loads(unpacked(pack_of(vault, "L-0").data)["approvals.json"])]
    lies = {
        "no second person": [rule, answer],
        "has no answer": [rule, approval],
        "not under": [rule, {**approval, "path": approval["path"][::-1]}, answer],
        "approved it before": [rule, others[1], answer],
    }
    for says, lie in lies.items():
        forged = resigned(vault, {**files, "approvals.json": json.dumps(lie).encode()})
        with pytest.raises(PackInvalid, match=says):
            verify(forged, key_of(vault))
    del files["approvals.json"]
    with pytest.raises(PackInvalid, match=r"approvals\.json is not there"):
        verify(resigned(vault, files), key_of(vault))


def test_what_nobody_approved_or_approved_otherwise_is_named(vault: Vault, tmp_path: Path) -> None:
    """Written past the door: without an approval, by the maker, of another body, too late."""

    def written(name: str, by: str, body: str, late: bool) -> Vault:
        copy = copied(vault, tmp_path / name)

        async def past_the_door(book: Book) -> None:
            change = {"request_id": "off-1", "body_sha256": body}
            if by and not late:
                await approve(book, "ChargeOffLoan", "L-1", by, **change)
            on = book.writer.business_on
            off = cmd.ChargeOffLoan(
                loan_id="L-1",
                request_id="off-1",
                recorded_at=book.now(),
                business_on=None,
                effective_on=on,
                reason="gone",
            )
            await book.writer.ask(off, "hash-off")
            if late:
                await approve(book, "ChargeOffLoan", "L-1", by, **change)

        asyncio.run(live(copy, past_the_door))
        asyncio.run(sealed(copy))
        return copy

    # approved by | body          | late  | what the pack's check says
    table = [
        ("Li", "hash-off", False, ""),
        ("", "hash-off", False, "no second person"),
        ("internal", "hash-off", False, "no second person"),
        ("Li", "hash-other", False, "is not what was approved"),
        ("Li", "hash-off", True, "no second person"),
    ]
    for number, (by, body, late, says) in enumerate(table):
        copy = written(f"copy-{number}", by, body, late)
        if not says:
            assert held(copy, "L-1") == 1
            continue
        with pytest.raises(PackInvalid, match=says):
            held(copy, "L-1")
