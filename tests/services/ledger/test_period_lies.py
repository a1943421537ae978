"""A pack about a period that the ledger's own key signed, and that does not hold together."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from shared.audit.packing import PackInvalid, unpacked
from shared.audit.verify_pack import verify
from tests.services.ledger.test_period import key_of, pack_of, resigned
from tests.tamper.vault import Vault, new_vault


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return new_vault(tmp_path_factory.mktemp("lies") / "original")


def without(line: int) -> Callable[[bytes], bytes]:
    """Return what takes a line out of a file."""
    return lambda data: b"".join(row for k, row in enumerate(data.splitlines(True)) if k != line)


def instead(old: str, new: str) -> Callable[[bytes], bytes]:
    """Return what replaces the first match of a pattern."""
    return lambda data: re.sub(old.encode(), new.encode(), data, count=1)


def another_hash(data: bytes) -> bytes:
    """Change the first digit of the first hash."""
    return re.sub(b'"(.)', lambda found: b'"B' if found[1] == b"A" else b'"A', data, count=1)


LIES = {
    "an event left out": ("events.jsonl", without(20), "not event"),
    "the last event left out": ("events.jsonl", without(-1), "these are not the events"),
    "an event edited": ("events.jsonl", instead("CNY", "CNH"), "these are not the events"),
    "another beginning": ("edge.json", another_hash, "edge.json"),
    "another period": (
        "period.json",
        instead('"since": "2026-04-01"', '"since": "2026-05-12"'),
        "business",
    ),
    "a line of the ledger": ("GL_Detail_20260401_20260630.csv", without(3), "GL_Detail"),
    "an amount": ("GL_Detail_20260401_20260630.csv", instead(r"\.00,D", ".01,D"), "GL_Detail"),
    "a balance": ("Trial_Balance_20260401_20260630.csv", instead(r"0,CNY", "1,CNY"), "Trial"),
    "a posting": (
        "journal.hledger",
        instead(r"(  +)([0-9]+\.)", r"\g<1>1\g<2>"),
        "journal.hledger",
    ),
    "an entry": ("journal.beancount", instead(r"position: [0-9]+", "position: 9999"), "beancount"),
    "a sample": ("sample.csv", without(1), "sample"),
    "another seed": ("period.json", instead('"seed": "', '"seed": "x'), "sample"),
    "another nonce": ("period.json", instead('"nonce": "', '"nonce": "x'), "sample"),
    "a population": ("period.json", instead('"entries": [0-9]+', '"entries": 3'), "population"),
    "an amount without its point": (
        "GL_Detail_20260401_20260630.csv",
        instead(r"([0-9]+)\.([0-9]{2}),D", r"\1\2,D"),
        "GL_Detail",
    ),
    "another currency": ("GL_Detail_20260401_20260630.csv", instead("CNY", "EUR"), "GL_Detail"),
    "another approver": (
        "GL_Detail_20260401_20260630.csv",
        instead("(:[0-9]{2}),,", r"\1,Wu,"),
        "GL_Detail",
    ),
    "columns under other names": (
        "GL_Detail_20260401_20260630.csv",
        instead("Entered_By", "Approved_By"),
        "first line",
    ),
    "another who entered it": (
        "GL_Detail_20260401_20260630.csv",
        instead("internal", "nobody"),
        "GL_Detail",
    ),
    "an account under another's name": (
        "journal.hledger",
        lambda data: data.replace(b"Assets:Cash ", b"Assets:Bank "),
        "journal.hledger line",
    ),
    "an entry that only the other program reads": (
        "journal.hledger",
        lambda data: data + b"\n2026-06-30 x\n  (Assets:Cash)  1,000 CNY\n",
        "journal.hledger line",
    ),
    "an account twice": (
        "Trial_Balance_20260401_20260630.csv",
        lambda data: data + data.splitlines(True)[-1],
        "twice",
    ),
    "our own table of balances": ("balances.csv", instead(r"[1-9]\n", "0\n"), "balances.csv"),
    "principal that the books do not have": (
        "loans-after.csv",
        instead(r"([0-9]+)\n", r"1\1\n"),
        "principal",
    ),
    "a sample of less than none": (
        "period.json",
        instead('"sample_size": 5', '"sample_size": -5'),
        "sample",
    ),
    "a date that sorts otherwise": (
        "period.json",
        instead("2026-06-30", "2026-06-3x"),
        "period.json|read",
    ),
    "a consistency": ("consistency.json", instead('"first": [0-9]+', '"first": 1'), "consistency"),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_the_keeper_signs_must_hold_together(vault: Vault, lie: str) -> None:
    """Though the ledger's own key signs it: the first thing that does not hold is named."""
    files = unpacked(pack_of(vault))
    name, change, says = LIES[lie]
    if lie == "the last event left out":
        changed = b"".join(files[name].splitlines(True)[:-1])
    else:
        changed = change(files[name])
    assert changed != files[name]

    with pytest.raises(PackInvalid, match=says):
        verify(resigned(vault, {**files, name: changed}), key_of(vault))
