"""A witness cosigns what continues the log that it has seen, and nothing else."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from shared.audit.checkpoints import Checkpoint, Signer, load_signer, verified
from shared.audit.cosignatures import read_cosignature
from shared.audit.merkle import consistency, grown, leaf_hash, root
from shared.audit.notes import CheckpointInvalid
from shared.audit.rotations import rotation_text
from shared.audit.witness import Witness, open_witness

LOG = "duebook.test/ledger"
TREE = dict(grown(0, [leaf_hash(b"%d" % k) for k in range(40)], {}.__getitem__))
OTHER = dict(grown(0, [leaf_hash(b"x%d" % k) for k in range(40)], {}.__getitem__))


@pytest.fixture
def log(tmp_path: Path) -> Signer:
    return load_signer(LOG, tmp_path / "log.key")


@pytest.fixture
def witness(tmp_path: Path, log: Signer) -> Witness:
    opened = open_witness("auditor.example", tmp_path / "witness", [log.verifier])
    opened.now = lambda: 1_772_000_000.9
    return opened


def body(signer: Signer, old: int, size: int, tree=TREE, path: list[bytes] | None = None) -> bytes:
    """Return what a log sends: the proof from what the witness saw, and the new checkpoint."""
    get = tree.__getitem__
    steps = path if path is not None else (consistency(old, size, get) if old else [])
    lines = [f"old {old}", *(base64.b64encode(step).decode() for step in steps)]
    note = signer.sign(Checkpoint(signer.name, size, root(size, get)))
    return "\n".join([*lines, "", note]).encode()


def test_what_a_witness_answers(witness: Witness, log: Signer, tmp_path: Path) -> None:
    """In this order; a refusal changes nothing, and a restart forgets nothing."""
    stranger = load_signer(LOG, tmp_path / "stranger.key")
    unknown = load_signer("elsewhere.test/ledger", tmp_path / "unknown.key")
    note = body(log, 0, 7)
    # what is sent                                             | status | says
    table = [
        (b"", 400, ""),
        (b"old 0\n\nnothing", 400, ""),
        (b"old 007\n\n" + note.partition(b"\n\n")[2], 400, "old SIZE"),
        (b"old 0\nAAAA\n\n" + note.partition(b"\n\n")[2], 400, "proof"),
        (body(unknown, 0, 7), 404, "not known"),
        (body(stranger, 0, 7), 403, "did not sign"),
        (body(log, 3, 7), 409, "0"),
        (body(log, 0, 7, path=[b"x" * 32]), 422, "nothing to prove"),
        (note, 200, "auditor.example"),
        (body(log, 7, 7), 200, "auditor.example"),
        (body(log, 7, 7, OTHER, []), 409, "7"),
        (body(log, 0, 20), 409, "7"),
        (body(log, 7, 20, OTHER), 422, "does not begin"),
        (body(log, 7, 20, path=[b"x" * 32]), 422, "does not begin"),
        (body(log, 7, 20), 200, "auditor.example"),
        (body(log, 20, 7, path=[]), 400, "does not shrink"),
        (body(log, 7, 7), 409, "20"),
    ]
    for sent, status, says in table:
        answer = witness.add(sent)
        assert (answer.status, says in answer.text) == (status, True), (sent[:40], answer)

    again = open_witness("auditor.example", tmp_path / "witness", [log.verifier])
    assert again.verifier == witness.verifier
    assert again.last(LOG).size == 20
    assert again.add(body(log, 20, 40)).status == 200


def test_a_cosignature_says_who_and_when(witness: Witness, log: Signer) -> None:
    """Checked by integers alone and by a library; not by another's key, nor over another text."""
    sent = body(log, 0, 7)
    note = sent.partition(b"\n\n")[2].decode() + witness.add(sent).text

    for check in ({}, {"check": verified}):
        seen = read_cosignature(note, witness.verifier, **check)
        assert (seen.witness, seen.seen_at) == ("auditor.example", 1_772_000_000)
        assert seen.checkpoint.size == 7
        with pytest.raises(CheckpointInvalid):
            read_cosignature(note.replace("\n7\n", "\n8\n"), witness.verifier, **check)
    with pytest.raises(CheckpointInvalid):
        read_cosignature(note, log.verifier)


def statement(before: Signer, after: Signer, *signers: Signer) -> bytes:
    """Return the statement of a change of key, signed by some."""
    text = rotation_text(before.verifier, after.verifier)
    return f"{text}\n{''.join(signer.line(text) for signer in signers)}".encode()


def test_a_key_leads_to_the_next(witness: Witness, log: Signer, tmp_path: Path) -> None:
    """Signed by both, from one that counts: the new one counts and the old no more, for ever."""
    second, third, thief = (load_signer(LOG, tmp_path / f"{k}.key") for k in range(3))
    elsewhere = load_signer("elsewhere.test/ledger", tmp_path / "elsewhere.key")
    witness.add(body(log, 0, 7))
    # what is sent                                    | status
    table = [
        (b"", 400),
        (b"\xff", 400),
        (statement(log, second, log), 400),
        (statement(log, second, second), 400),
        (statement(log, elsewhere, log, elsewhere), 400),
        (statement(second, third, second, third), 403),
        (statement(log, second, log, second), 200),
        (statement(log, second, log, second), 200),
        (statement(log, thief, log, thief), 403),
        (statement(second, third, second, third), 200),
    ]

    for sent, status in table:
        assert witness.rotate(sent).status == status

    again = open_witness("auditor.example", tmp_path / "witness", [log.verifier])
    assert again.keys(LOG) == [third.verifier]
    assert [again.add(body(key, 7, 20)).status for key in (log, second, third)] == [403, 403, 200]
