"""The evidence about a loan: the same bytes twice, checked by a bare Python, every change found."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import random
import subprocess
import sys
from datetime import UTC, date, datetime
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.seals import Seals
from services.ledger.application.evidencing import Evidence, Pack
from services.ledger.application.proving import EventNotFound, Prover, SizeUnknown
from services.ledger.domain.refusals import LoanNotActive, LoanNotFound
from shared.audit.checkpoints import load_signer
from shared.audit.notes import signatures
from shared.audit.packing import (
    BLOCKS,
    LOAN_TITLE,
    MANIFEST,
    PackInvalid,
    closed,
    packed,
    unpacked,
)
from shared.audit.verify_pack import verify
from tests.services.ledger.book import open_book
from tests.tamper.vault import ORIGIN, Vault, live, new_vault, sealed

ON = date(2026, 4, 20)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return new_vault(tmp_path_factory.mktemp("evidence") / "original")


def pack_of(vault: Vault, loan_id: str = "L-1", on: date = ON, **more: object) -> Pack:
    """Ask for the evidence about a loan."""

    async def ask() -> Pack:
        async with open_book(vault.folder) as book:
            signer = partial(load_signer, ORIGIN, vault.folder / "signing.key")
            prover = Prover(book.writer.log, Seals(book.models.engine), lambda: None)
            return await Evidence(prover, signer, decode).of_loan(loan_id, on, **more)

    return asyncio.run(ask())


def key_of(vault: Vault) -> str:
    return load_signer(ORIGIN, vault.folder / "signing.key").verifier


def resigned(vault: Vault, files: dict[str, bytes], title: str = LOAN_TITLE) -> bytes:
    """Return files as a pack that the ledger's own key signed."""
    rest = {k: v for k, v in files.items() if k not in (MANIFEST, BLOCKS)}
    signer = load_signer(ORIGIN, vault.folder / "signing.key")
    text = signatures(files["checkpoint.txt"].decode())[0]
    return closed(rest, title, text, signer.sign_text)


def bare_python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program as an auditor does: no site packages, no environment, another folder."""
    command = [sys.executable, "-I", "-S", *arguments]
    return subprocess.run(command, cwd=folder, env={}, capture_output=True, text=True)


def test_a_pack_checks_itself_on_a_bare_python(vault: Vault, tmp_path: Path) -> None:
    """Isolated, without site packages: proven with the right key, not with another's."""
    (tmp_path / "evidence.zip").write_bytes(pack_of(vault).data)
    stranger = load_signer(ORIGIN, tmp_path / "another.key").verifier

    proven = bare_python("evidence.zip", key_of(vault), folder=tmp_path)

    assert proven.returncode == 0, proven.stdout + proven.stderr
    assert "events under the signed root" in proven.stdout
    assert "explanations recomputed" in proven.stdout
    assert bare_python("evidence.zip", folder=tmp_path).stdout.count("the pack's own") == 1
    assert bare_python("evidence.zip", stranger, folder=tmp_path).returncode == 1
    assert bare_python("evidence.zip", "a", "b", folder=tmp_path).returncode == 2
    assert bare_python("none.zip", key_of(vault), folder=tmp_path).returncode == 2


def test_a_pack_made_twice_has_the_same_bytes(vault: Vault) -> None:
    """Now and after a restart; a pack for an old checkpoint stays what it was."""
    first, second = pack_of(vault), pack_of(vault)
    old = [pack_of(vault, on=date(2026, 3, 5), size=40) for _ in range(2)]

    assert first.sha256 == second.sha256
    assert old[0].data == old[1].data != first.data
    assert old[0].sealed.size == 40


def test_any_changed_byte_is_found(vault: Vault) -> None:
    """Wherever in the zip a byte is changed, the check says no; in an event, it says which."""
    pack, key = pack_of(vault).data, key_of(vault)
    verify(pack, key)
    chance = random.Random(20260420)
    event = pack.index(b"RepaymentPosted")

    for at in [event, 0, len(pack) - 1, *chance.sample(range(len(pack)), 60)]:
        changed = bytearray(pack)
        changed[at] ^= 1 << chance.randrange(8)
        with pytest.raises(PackInvalid) as failure:
            verify(bytes(changed), key)
        if at == event:
            assert "events.jsonl line" in str(failure.value)


OTHER_FIGURES = [
    {"figures": {"days_past_due": 0, "payoff": 0, "arrears": 0}},
    {"loan_id": "L-9"},
    {"version": 1},
]


@pytest.mark.parametrize("other", OTHER_FIGURES, ids=lambda other: next(iter(other)))
def test_figures_that_nobody_explains_do_not_pass(vault: Vault, other: dict[str, object]) -> None:
    """Though the ledger's own key signs them: as many figures, others than those explained."""
    files = unpacked(pack_of(vault, "L-1").data)
    loan = json.loads(files["loan.json"])
    trees = json.loads(files["explanations.json"])
    if "figures" in other:
        one = next(tree for tree in trees if tree["figure"] == "days_past_due")
        other = {"figures": {**dict.fromkeys(loan["figures"], 0), "days_past_due": one["value"]}}
        files["explanations.json"] = json.dumps([one] * len(trees)).encode()
    files["loan.json"] = json.dumps({**loan, **other}).encode()

    with pytest.raises(PackInvalid, match=r"loan\.json"):
        verify(resigned(vault, files), key_of(vault))


PAYMENTS = {
    "another amount": lambda leaf: leaf.update(value=str(int(leaf["value"]) - 1)),
    "another event": lambda leaf: leaf.update({"from": "event:credit@99"}),
    "no event": lambda leaf: leaf.update({"from": "rule: paid"}),
}


@pytest.mark.parametrize("kind", PAYMENTS)
def test_payments_that_nobody_made_do_not_pass(vault: Vault, kind: str) -> None:
    """Though the ledger's own key signs them, and the tree adds up with them."""
    files = unpacked(pack_of(vault, "L-0").data)
    trees = json.loads(files["explanations.json"])
    tree = next(t for t in trees if t["figure"] == "principal_outstanding")
    leaf = next(leaf for part in tree["of"] for leaf in part["of"][1:])
    PAYMENTS[kind](leaf)
    recomputed(tree)
    loan = json.loads(files["loan.json"])
    loan["figures"]["principal_outstanding"] = int(tree["value"])
    files["explanations.json"] = json.dumps(trees).encode()
    files["loan.json"] = json.dumps(loan).encode()

    with pytest.raises(PackInvalid, match=r"paid|version 99|left out"):
        verify(resigned(vault, files), key_of(vault))


def recomputed(tree: dict[str, Any]) -> int:
    """Let a tree of whole numbers add up again."""
    parts = [recomputed(part) for part in tree.get("of", [])]
    if tree["op"] in ("sum", "minus"):
        first, rest = (parts[0], parts[1:]) if parts else (0, [])
        tree["value"] = str(first + sum(rest) if tree["op"] == "sum" else first - sum(rest))
    return int(tree["value"])


def test_what_is_signed_by_nobody_is_not_believed(vault: Vault, tmp_path: Path) -> None:
    """Files exchanged with their hashes, and signed with another key, do not pass."""
    files = unpacked(pack_of(vault).data)
    stranger = load_signer(ORIGIN, tmp_path / "another.key")
    text = files["MANIFEST.txt"].decode().rpartition("\n\n")[0] + "\n"
    files["MANIFEST.txt"] = stranger.sign_text(text).encode()

    with pytest.raises(PackInvalid, match="did not sign"):
        verify(packed(files), key_of(vault))


def test_the_page_can_be_followed(vault: Vault) -> None:
    """It names the days, the oldest due date, and counts them month by month."""
    files = unpacked(pack_of(vault, "L-1").data)
    page, loan = files["story.txt"].decode(), json.loads(files["loan.json"])
    late = loan["figures"]["days_past_due"]
    counted = [int(row.split()[1]) for row in page.splitlines() if row.endswith(" days")]

    assert f"Why loan L-1 is {late} days past due on 2026-04-20" in page
    assert late == sum(counted[:-1]) == counted[-1] > 0
    assert max(len(row) for row in page.splitlines()) <= 100


def test_the_page_needs_nothing_from_elsewhere(vault: Vault) -> None:
    """Well-formed, every figure that is not zero unfolded, no script, no address, nothing raw."""
    files = unpacked(pack_of(vault, "L-1").data)
    page, loan = files["page.html"].decode(), json.loads(files["loan.json"])
    parser = Nesting()
    parser.feed(page)

    assert parser.open == []
    assert parser.wrong == []
    assert not {"script", "link", "img", "iframe"} & parser.seen
    assert "http" not in page
    for figure, value in loan["figures"].items():
        assert (f"{figure} = {value}" in page) == bool(value)
    assert f"Loan L-1: {loan['figures']['days_past_due']} days past due" in page


class Nesting(HTMLParser):
    """Checks that what is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_the_tables_agree_with_the_figures(vault: Vault) -> None:
    """The last amount carried is what is overdue; the journal's loan account is the principal."""
    files = unpacked(pack_of(vault, "L-0").data)
    figures = json.loads(files["loan.json"])["figures"]
    due, journal, events = (
        list(csv.DictReader(io.StringIO(files[name].decode())))
        for name in ("past_due.csv", "journal.csv", "timeline.csv")
    )
    lent = [int(r["amount_minor"]) for r in journal if r["account"] == "loans:principal"]
    counting = [r for r in journal if r["effective_on"] <= ON.isoformat()]

    assert int(due[-1]["carried_minor"]) == figures["arrears"]
    assert sum(lent) == figures["principal_outstanding"]
    assert sum(int(r["amount_minor"]) for r in counting) == 0
    assert [int(r["version"]) for r in events] == list(range(1, len(events) + 1))


def test_what_was_not_known_is_not_in_it(vault: Vault) -> None:
    """Known at an instant before the last event: fewer events; before the first: not found."""
    whole = unpacked(pack_of(vault, "L-2").data)["events.jsonl"].splitlines()
    first = json.loads(json.loads(whole[2])["leaf"].partition("\n")[2])
    known_at = datetime.fromisoformat(first["recorded_at"])

    part = unpacked(pack_of(vault, "L-2", known_at=known_at).data)["events.jsonl"].splitlines()

    assert 0 < len(part) < len(whole)
    with pytest.raises(LoanNotFound):
        pack_of(vault, known_at=datetime(2020, 1, 1, tzinfo=UTC))


def test_nothing_that_is_stored_is_left_out(tmp_path: Path) -> None:
    """Money posted a moment ago: the pack waits for its seal, and does not go without it."""
    vault = new_vault(tmp_path / "vault")
    asyncio.run(live(vault, lambda book: book.repay("L-1", 100)))

    async def ask() -> Pack:
        async with open_book(vault.folder) as book:
            signer = partial(load_signer, ORIGIN, vault.folder / "signing.key")
            hurried: list[asyncio.Task[str]] = []

            def hurry() -> None:
                if not hurried:
                    hurried.append(asyncio.ensure_future(sealed(vault)))

            prover = Prover(book.writer.log, Seals(book.models.engine), hurry)
            return await Evidence(prover, signer, decode).of_loan("L-1", date(2026, 7, 10))

    pack = asyncio.run(ask())

    assert len(unpacked(pack.data)["events.jsonl"].splitlines()) == len(vault.rows("loan/L-1"))
    assert pack.sealed.size == len(vault.rows())


def test_what_cannot_be_packed_says_why(vault: Vault) -> None:
    """No such loan, no such checkpoint, not yet paid out."""
    with pytest.raises(EventNotFound):
        pack_of(vault, "L-404")
    with pytest.raises(SizeUnknown):
        pack_of(vault, size=99_999)
    with pytest.raises(LoanNotActive):
        pack_of(vault, on=date(2020, 1, 1))
