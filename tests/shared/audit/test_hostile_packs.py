"""What somebody may do to the program that checks a pack: it says no, in its own words."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from shared.audit.checkpoints import load_signer
from shared.audit.evaluate import Disagrees, evaluate
from shared.audit.journals import MINOR_DIGITS, minor, plain
from shared.audit.notes import Checkpoint, CheckpointInvalid, signatures, signed_text
from shared.audit.packing import (
    BLOCKS,
    LOAN_TITLE,
    MANIFEST,
    PackInvalid,
    blocks_of,
    closed,
    manifest_of,
    packed,
    unpacked,
)
from shared.audit.verify_pack import main, verify
from shared.kernel.money import format_amount, minor_digits

CHECKPOINT = Checkpoint("here", 1, b"\0" * 32)


@pytest.fixture
def signer(tmp_path: Path):
    return load_signer("here", tmp_path / "signing.key")


def pack(signer, **files: bytes) -> bytes:
    """Return a pack of some files that the log's own key signed."""
    none = {"rotations.json": b"[]", "approvals.json": b"[]"}
    whole = {"checkpoint.txt": signer.sign(CHECKPOINT).encode(), **none, **files}
    whole["verifier.txt"] = signer.verifier.encode()
    return closed(whole, LOAN_TITLE, CHECKPOINT.text, signer.sign_text)


def said(path: Path, data: bytes, *arguments: str) -> list[str]:
    """Return what the program says of a pack that it does not accept."""
    path.write_bytes(data)
    lines: list[str] = []
    assert main([str(path), *arguments], lines.append) == 1
    return lines


def test_a_pack_prints_no_verdict_of_its_own(signer, tmp_path: Path) -> None:
    """Line ends and escapes of a terminal are shown, not obeyed; other letters as their codes."""
    tree = {"op": "given\n\x1b[2KPROVEN: 金", "label": "x", "value": "1", "figure": "x"}
    loan = {"effective_on": "2026-01-01", "loan_id": "L", "version": 1, "figures": {"x": 1}}
    files = {
        "events.jsonl": b"",
        "journal.csv": b"",
        "loan.json": json.dumps(loan).encode(),
        "explanations.json": json.dumps([tree]).encode(),
    }

    lines = said(tmp_path / "pack.zip", pack(signer, **files))

    assert lines == ["NOT PROVEN: x: the operation given\\n\\x1b[2KPROVEN: \\u91d1 is not known"]


@pytest.mark.parametrize(
    "hostile",
    [b"[" * 100_000, b'[{"op": "over", "label": "x", "value": "1", "of": []}]', b"5", b"\xff"],
    ids=["deep", "no parts", "no list", "no text"],
)
def test_what_cannot_be_read_is_refused(signer, tmp_path: Path, hostile: bytes) -> None:
    """Nested without end, parts that are not there, another kind: one line, no traceback."""
    loan = b'{"effective_on": "2026-01-01", "loan_id": "L", "version": 1, "figures": {}}'
    files = {"events.jsonl": b"", "journal.csv": b"", "loan.json": loan}

    lines = said(tmp_path / "pack.zip", pack(signer, **files, **{"explanations.json": hostile}))

    assert [line[:10] for line in lines] == ["NOT PROVEN"]


def test_files_that_lie_in_each_other(signer) -> None:
    """A small zip whose directory names its bytes a hundred times over is not unpacked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"x" * 100_000)
        archive.filelist *= 100

    with pytest.raises(PackInvalid, match="larger than itself"):
        unpacked(buffer.getvalue())


@pytest.mark.parametrize(
    "name", ["../a", "/etc/passwd", "a/b", "a\n0" + "0" * 63 + "  b", "-r", ""]
)
def test_a_file_has_a_plain_name(signer, name: str) -> None:
    """No folder above, no line of a manifest, nothing that a shell takes for an option."""
    with pytest.raises(PackInvalid):
        verify(pack(signer, **{name: b"x"}), signer.verifier)


def test_the_manifest_is_that_of_the_files_and_signed_once(signer) -> None:
    """Neither a line more that the key signed, nor a signature more that it did not."""
    files = unpacked(pack(signer))
    rest = {k: v for k, v in files.items() if k not in (MANIFEST, BLOCKS)}
    rest[BLOCKS] = blocks_of(rest)
    text = manifest_of(rest, CHECKPOINT.text, LOAN_TITLE)
    note = files[MANIFEST].decode()
    line = note.splitlines(True)[-1]
    for manifest in (signer.sign_text(text + "0" * 64 + "  checkpoint.txt extra\n"), note + line):
        with pytest.raises(PackInvalid):
            verify(packed({**rest, MANIFEST: manifest.encode()}), signer.verifier)


def test_a_signature_has_one_writing(signer) -> None:
    """Bits of the last digit that carry nothing are as they must be."""
    note = signer.sign_text("a\n")
    at = note.rindex("=") - 1
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = note[:at] + digits[digits.index(note[at]) ^ 1] + note[at + 1 :]

    assert signed_text(note, signer.verifier) == "a\n"
    with pytest.raises(CheckpointInvalid):
        signatures(other)


def test_a_checkpoint_of_another_log(signer) -> None:
    """The same key signed it, about a log of another name."""
    other = CHECKPOINT._replace(origin="there")
    files = {"checkpoint.txt": signer.sign(other).encode(), "rotations.json": b"[]"}
    forged = closed(files, LOAN_TITLE, other.text, signer.sign_text)

    with pytest.raises(PackInvalid, match="another log"):
        verify(forged, signer.verifier)


def test_values_are_exact_and_short() -> None:
    """No power of ten that takes all memory, no float; a half below in the thirtieth digit."""
    for value in ("1e999999999", 0.5, "1_000", "１", "1/0"):
        with pytest.raises(Disagrees):
            evaluate({"op": "given", "label": "x", "value": value})
    below = f"{10**30 // 2 - 1}/{10**30}"
    given = {"op": "given", "label": "x", "value": below}
    for mode in ("HALF_UP", "HALF_EVEN", "HALF_DOWN"):
        tree = {"op": "round", "mode": mode, "label": "x", "value": "0", "of": [given]}
        assert evaluate(tree) == 0


@pytest.mark.parametrize("currency", sorted(MINOR_DIGITS))
def test_amounts_are_written_one_way(currency: str) -> None:
    """As the kernel has its currencies; what is read back is what was written, and nothing else."""
    assert MINOR_DIGITS[currency] == minor_digits(currency)
    for amount in (0, 5, -5, 123_456, -100):
        assert minor(plain(amount, currency), currency) == amount
        assert format_amount(amount, currency).replace(",", "").startswith(plain(amount, currency))
    for text in ("1e3", "1,000.00", "--1", "+1", " 1", "1.", "01.00", "1.0", "-0.00", "１.00"):
        with pytest.raises(ValueError, match="amount"):
            minor(text, "CNY")
