"""Go's own packages for verifiable logs read our notes and proofs, and refuse what is changed."""

from __future__ import annotations

import base64
import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from shared.audit.checkpoints import Checkpoint, Signer, load_signer
from shared.audit.merkle import consistency, grown, inclusion, leaf_hash, root
from tests.oracles import MISSING, sumdb

SIZES = 300
LEAVES = [f"event {k}".encode() for k in range(SIZES)]
Question = dict[str, Any]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = sumdb(tmp_path_factory.mktemp("sumdb"))
    if built is None:
        pytest.skip(f"Go's golang.org/x/mod/sumdb {MISSING}")
    return built


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return load_signer("duebook.test/ledger", tmp_path_factory.mktemp("keys") / "signing.key")


def asked(program: Path, questions: list[Question]) -> list[str]:
    """Return the program's answer to each question."""
    lines = "".join(
        json.dumps(q, default=lambda b: base64.b64encode(b).decode()) + "\n" for q in questions
    )
    done = subprocess.run([program], input=lines, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def questions(signer: Signer) -> list[Question]:
    """Return every checkpoint to 300; proofs of the ends, the middle and some more of each size."""
    nodes = dict(grown(0, map(leaf_hash, LEAVES), {}.__getitem__))
    get, chance = nodes.__getitem__, random.Random(6962)
    roots = [root(size, get) for size in range(SIZES + 1)]
    found: list[Question] = []
    for size, top in enumerate(roots):
        note = signer.sign(Checkpoint(signer.name, size, top))
        found.append(
            {"Kind": "note", "Note": note, "Verifier": signer.verifier, "Size": size, "Root": top}
        )
        some = {0, size // 2, size - 1, *(chance.randrange(max(1, size)) for _ in range(5))}
        for number in sorted(k for k in some if 0 <= k < size):
            path = inclusion(number, size, get)
            proof = {"Path": path, "Size": size, "Root": top, "Number": number}
            found.append({"Kind": "record", **proof, "Leaf": LEAVES[number]})
        for first in sorted({k + 1 for k in some if 0 <= k < size}):
            path = consistency(first, size, get)
            proof = {"Path": path, "Size": size, "Root": top, "Number": first}
            found.append({"Kind": "tree", **proof, "Hash": roots[first]})
    return found


def test_every_size_is_accepted(program: Path, signer: Signer) -> None:
    """Checkpoints, inclusion and consistency of every size from 0 to 300."""
    all_of_them = questions(signer)
    answers = asked(program, all_of_them)

    assert len(all_of_them) > 4_000
    assert [(q, a) for q, a in zip(all_of_them, answers, strict=True) if a != "yes"] == []


def test_a_thousand_mutations_are_refused(program: Path, signer: Signer) -> None:
    """One bit anywhere in a note, a leaf, a path or a root, or another number: refused."""
    chance = random.Random(1)
    mutated = [_changed(q, chance) for q in chance.sample(questions(signer)[20:], 1_000)]

    accepted = [q for q, a in zip(mutated, asked(program, mutated), strict=True) if a == "yes"]

    assert accepted == []


def _changed(question: Question, chance: random.Random) -> Question:
    """Return a question in which one thing is not as it was."""
    if question["Kind"] == "note":
        note = bytearray(question["Note"].encode())
        at = chance.randrange(len(note) - 1)
        note[at] ^= 1 << chance.randrange(7)
        changed = note.decode(errors="replace")
        return {**question, "Note": changed}
    fields = [k for k in ("Leaf", "Hash", "Root") if question.get(k)]
    fields += ["Path"] if question["Path"] else []
    field = chance.choice(fields)
    if field == "Path":
        path = list(question["Path"])
        k = chance.randrange(len(path))
        path[k] = _bit(path[k], chance)
        return {**question, "Path": path}
    return {**question, field: _bit(question[field], chance)}


def _bit(value: bytes, chance: random.Random) -> bytes:
    turned = bytearray(value)
    turned[chance.randrange(len(turned))] ^= 1 << chance.randrange(8)
    return bytes(turned)
