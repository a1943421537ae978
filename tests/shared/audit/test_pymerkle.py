"""Another program for Merkle trees (pymerkle, GPL: for tests only) comes to the same trees."""

from __future__ import annotations

import random

from pymerkle import InmemoryTree

from shared.audit.merkle import EMPTY, grown, inclusion, leaf_hash, root

SIZES, LARGE = 300, 20_000


def entry(number: int) -> bytes:
    return f"event {number}".encode()


def test_every_root_to_300_and_a_large_one_is_the_same() -> None:
    """Of every size, as the tree grows by one; and of twenty thousand."""
    nodes = dict(grown(0, (leaf_hash(entry(k)) for k in range(LARGE)), {}.__getitem__))
    tree = InmemoryTree(algorithm="sha256")

    assert tree.get_root() == root(0, nodes.__getitem__) == EMPTY
    for size in range(1, LARGE + 1):
        tree.append_entry(entry(size - 1))
        if size <= SIZES or size == LARGE:
            assert tree.get_root() == root(size, nodes.__getitem__), size


def test_every_proof_of_inclusion_is_the_same() -> None:
    """Of each leaf, in trees of 1 to 40, of some more sizes and of 300 leaves."""
    nodes = dict(grown(0, (leaf_hash(entry(k)) for k in range(SIZES)), {}.__getitem__))
    tree = InmemoryTree.init_from_entries([entry(k) for k in range(SIZES)], algorithm="sha256")
    sizes = [*range(1, 41), *random.Random(6962).sample(range(41, SIZES), 10), SIZES]

    for size in sizes:
        for number in range(size):
            theirs = tree.prove_inclusion(number + 1, size).path
            assert theirs[0] == nodes[0, number]
            assert theirs[1:] == inclusion(number, size, nodes.__getitem__), (number, size)
