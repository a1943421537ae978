"""The verifiable log's tree: every size to 70, every leaf, every pair; every lie refused."""

from __future__ import annotations

import hashlib
import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.audit.checkpoints import Checkpoint, CheckpointInvalid, Signer, read_checkpoint
from shared.audit.merkle import (
    EMPTY,
    consistency,
    consistent,
    grown,
    included,
    inclusion,
    leaf_hash,
    needed,
    node_hash,
    root,
)

LEAVES = [f"event {k}".encode() for k in range(70)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]

# The published vectors of Certificate Transparency: leaves, root of all of them.
VECTORS = [
    ([""], "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    (["", "00"], "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    (["", "00", "10"], "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    (
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"],
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    ),
]


def tree(hashes: list[bytes]) -> dict[tuple[int, int], bytes]:
    """Return every complete subtree, appended in pages of three."""
    nodes: dict[tuple[int, int], bytes] = {}
    for start in range(0, len(hashes), 3):
        nodes.update(grown(start, hashes[start : start + 3], nodes.__getitem__))
    return nodes


def plain_root(hashes: list[bytes]) -> bytes:
    """Return the root as RFC 6962 defines it, word for word."""
    if not hashes:
        return EMPTY
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(plain_root(hashes[:split]), plain_root(hashes[split:]))


NODES = tree(HASHES)


@pytest.mark.parametrize(("leaves", "expected"), VECTORS)
def test_published_roots(leaves: list[str], expected: str) -> None:
    """As printed by Certificate Transparency's own tests."""
    hashes = [leaf_hash(bytes.fromhex(leaf)) for leaf in leaves]

    assert root(len(hashes), tree(hashes).__getitem__).hex() == expected


def test_every_root_and_every_inclusion() -> None:
    """The root is the RFC's; a proof shows its own leaf and no other."""
    for size in range(71):
        top = root(size, NODES.__getitem__)
        assert top == plain_root(HASHES[:size])
        for number in range(size):
            proof = inclusion(number, size, NODES.__getitem__)
            assert included(number, size, HASHES[number], proof, top)
            assert not included(number, size, HASHES[number - 1 if number else 69], proof, top)
            assert size == 1 or not included((number + 1) % size, size, HASHES[number], proof, top)


def test_every_pair_is_consistent() -> None:
    """Any tree begins with any smaller one; with another root it does not."""
    for second in range(71):
        new = root(second, NODES.__getitem__)
        for first in range(second + 1):
            old = root(first, NODES.__getitem__)
            proof = consistency(first, second, NODES.__getitem__)
            assert consistent(first, second, old, new, proof)
            if first:
                assert not consistent(first, second, hashlib.sha256(old).digest(), new, proof)
                assert not consistent(first, second, old, hashlib.sha256(new).digest(), proof)


def test_a_thousand_mutations_are_refused() -> None:
    """A bit turned, a step dropped, added or swapped: never accepted."""
    chance = random.Random(1)
    for _ in range(1000):
        size = chance.randrange(3, 71)
        number = chance.randrange(size)
        proof, top = inclusion(number, size, NODES.__getitem__), root(size, NODES.__getitem__)
        kind, place = chance.randrange(4), chance.randrange(len(proof))
        if kind == 0:
            turned = bytearray(proof[place])
            turned[chance.randrange(32)] ^= 1 << chance.randrange(8)
            proof[place] = bytes(turned)
        elif kind == 1:
            del proof[place]
        elif kind == 2:
            proof.insert(place, chance.randbytes(32))
        else:
            number = chance.choice([k for k in range(size + 1) if k != number])
        assert not included(number, size, HASHES[number % 70 if kind != 3 else 0], proof, top) or (
            kind == 3 and number == 0
        )


def test_what_a_proof_needs_is_read_at_once() -> None:
    """The nodes named beforehand are those that it takes: at most two per level."""
    for size in (1, 2, 37, 64, 70):
        wanted = needed(lambda get, size=size: inclusion(size // 2, size, get))
        few = {node: NODES[node] for node in wanted}

        proof = inclusion(size // 2, size, few.__getitem__)

        assert proof == inclusion(size // 2, size, NODES.__getitem__)
        assert len(wanted) <= 2 * size.bit_length()


SIGNER = Signer("duebook.example/ledger", Ed25519PrivateKey.from_private_bytes(bytes(32)))


def test_a_checkpoint_is_signed_and_read() -> None:
    """Origin, size and root come back; any changed character is refused."""
    note = SIGNER.sign(Checkpoint("duebook.example/ledger", 70, plain_root(HASHES)))

    assert read_checkpoint(note, SIGNER.verifier).size == 70
    for place in range(len(note) - 1):
        other = "A" if note[place] != "A" else "B"
        with pytest.raises(CheckpointInvalid):
            read_checkpoint(note[:place] + other + note[place + 1 :], SIGNER.verifier)


def test_another_key_is_refused() -> None:
    """The right name with another key signed nothing here."""
    note = SIGNER.sign(Checkpoint("duebook.example/ledger", 0, EMPTY))
    other = Signer(SIGNER.name, Ed25519PrivateKey.from_private_bytes(b"1" * 32))

    with pytest.raises(CheckpointInvalid):
        read_checkpoint(note, other.verifier)
    with pytest.raises(CheckpointInvalid):
        read_checkpoint("no note", SIGNER.verifier)
