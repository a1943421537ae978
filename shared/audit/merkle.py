"""A verifiable log's tree (RFC 6962, RFC 9162): roots, proofs, and how anybody checks them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

Node = tuple[int, int]
"""A complete subtree: its level (leaves are 0) and its number on that level."""

Get = Callable[[Node], bytes]
EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf; 32 bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def grown(size: int, leaves: Iterable[bytes], get: Get) -> list[tuple[Node, bytes]]:
    """
    Return every complete subtree that appending leaf hashes to a tree of a size completes.

    Args:
        size: Leaves so far.
        leaves: Hashes of the new ones, in order.
        get: The hash of a complete subtree of the tree so far.
    """
    fresh: dict[Node, bytes] = {}
    for number, leaf in enumerate(leaves, start=size):
        level, place, value = 0, number, leaf
        fresh[level, place] = value
        while place % 2:
            left = (level, place - 1)
            value = node_hash(fresh[left] if left in fresh else get(left), value)
            level, place = level + 1, place // 2
            fresh[level, place] = value
    return list(fresh.items())


def root(size: int, get: Get) -> bytes:
    """Return the root of a tree of a size."""
    return _root(0, size, get) if size else EMPTY


def inclusion(number: int, size: int, get: Get) -> list[bytes]:
    """Return the proof that a leaf, by its number from 0, is in the tree of a size."""
    if not 0 <= number < size:
        raise ValueError(f"leaf {number} is not in a tree of {size}")
    return _path(number, 0, size, get)


def consistency(first: int, second: int, get: Get) -> list[bytes]:
    """Return the proof that the tree of the second size begins with that of the first."""
    if not 0 <= first <= second:
        raise ValueError(f"{first} is not a size before {second}")
    return _subproof(first, 0, second, get, whole=True) if first else []


def needed(ask: Callable[[Get], object]) -> list[Node]:
    """Return the subtrees that a root or proof needs, so that they can be read at once."""
    nodes: list[Node] = []

    def note(node: Node) -> bytes:
        nodes.append(node)
        return EMPTY

    ask(note)
    return nodes


def included(number: int, size: int, leaf: bytes, proof: list[bytes], root_hash: bytes) -> bool:
    """Check an inclusion proof (RFC 9162, 2.1.3.2) for the hash of a leaf."""
    if not 0 <= number < size:
        return False
    place, last, value = number, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if place % 2 or place == last:
            value = node_hash(step, value)
            while place and not place % 2:
                place, last = place // 2, last // 2
        else:
            value = node_hash(value, step)
        place, last = place // 2, last // 2
    return last == 0 and value == root_hash


def consistent(
    first: int, second: int, first_root: bytes, second_root: bytes, proof: list[bytes]
) -> bool:
    """Check a consistency proof (RFC 9162, 2.1.4.2)."""
    if first == second:
        return not proof and first_root == second_root
    if first == 0:
        return not proof and first_root == EMPTY
    if not 0 < first < second or not proof:
        return False
    steps = [first_root, *proof] if first & (first - 1) == 0 else proof
    place, last = first - 1, second - 1
    while place % 2:
        place, last = place // 2, last // 2
    old = new = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place % 2 or place == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while place and not place % 2:
                place, last = place // 2, last // 2
        else:
            new = node_hash(new, step)
        place, last = place // 2, last // 2
    return last == 0 and old == first_root and new == second_root


def _split(size: int) -> int:
    """Return the largest power of two below a size above one."""
    return 1 << (size - 1).bit_length() - 1


def _root(start: int, size: int, get: Get) -> bytes:
    if size & (size - 1) == 0:
        return get((size.bit_length() - 1, start // size))
    left = _split(size)
    return node_hash(_root(start, left, get), _root(start + left, size - left, get))


def _path(number: int, start: int, size: int, get: Get) -> list[bytes]:
    if size == 1:
        return []
    left = _split(size)
    if number < left:
        return [*_path(number, start, left, get), _root(start + left, size - left, get)]
    return [
        *_path(number - left, start + left, size - left, get),
        _root(start, left, get),
    ]


def _subproof(first: int, start: int, size: int, get: Get, *, whole: bool) -> list[bytes]:
    if first == size:
        return [] if whole else [_root(start, size, get)]
    left = _split(size)
    if first <= left:
        rest = _root(start + left, size - left, get)
        return [*_subproof(first, start, left, get, whole=whole), rest]
    rest = _root(start, left, get)
    return [*_subproof(first - left, start + left, size - left, get, whole=False), rest]
