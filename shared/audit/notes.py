"""Signed notes and checkpoints as C2SP writes them, read with the standard library only."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from shared.audit import ed25519

ED25519 = b"\x01"
SIGNED_BY = "\u2014 "
Check = Callable[[bytes, bytes, bytes], bool]
"""Says whether a signature is right: public key, message, signature."""


class CheckpointInvalid(Exception):
    """The note cannot be read, or nobody known signed it."""


class Checkpoint(NamedTuple):
    """What a log says of itself: its name, how many leaves, and their root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class Signature(NamedTuple):
    """One signature line of a note: who, the first bytes of the hash of the key, the rest."""

    name: str
    key_id: bytes
    bytes: bytes


def key_id(name: str, public: bytes, kind: bytes = ED25519) -> bytes:
    """Return the four bytes by which a note names a key."""
    return hashlib.sha256(name.encode() + b"\n" + kind + public).digest()[:4]


def verifier_key(name: str, public: bytes, kind: bytes = ED25519) -> str:
    """Return a key as tools take it: name, key id, and type with public key."""
    typed = base64.b64encode(kind + public).decode()
    return f"{name}+{key_id(name, public, kind).hex()}+{typed}"


def parsed_key(verifier: str, kind: bytes = ED25519) -> tuple[str, bytes]:
    """
    Return name and public key of a verifier key.

    Raises:
        CheckpointInvalid: it is none of this kind.
    """
    try:
        name, stated, typed = verifier.strip().split("+", 2)
        public = base64.b64decode(typed, validate=True)
    except ValueError:
        raise CheckpointInvalid("the key cannot be read") from None
    if public[:1] != kind or len(public) != 33 or key_id(name, public[1:], kind).hex() != stated:
        raise CheckpointInvalid("the key is not an Ed25519 verifier key")
    return name, public[1:]


def signatures(note: str) -> tuple[str, list[Signature]]:
    """
    Return the text of a note and its signatures, not yet checked.

    Raises:
        CheckpointInvalid: it is no note.
    """
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise CheckpointInvalid("the note cannot be read")
    return text + "\n", list(_read(lines))


def _read(lines: str) -> Iterator[Signature]:
    for line in lines.splitlines():
        name, _, encoded = line.removeprefix(SIGNED_BY).partition(" ")
        try:
            signed = base64.b64decode(encoded, validate=True)
        except ValueError:
            signed = b""
        # One signature has one writing: else a note's bytes could change and its signature hold.
        canonical = base64.b64encode(signed).decode() == encoded
        if not line.startswith(SIGNED_BY) or not name or len(signed) < 5 or not canonical:
            raise CheckpointInvalid("a signature cannot be read")
        yield Signature(name, signed[:4], signed[4:])


def signed_text(note: str, verifier: str, check: Check = ed25519.verified) -> str:
    """
    Return the text of a note that a key signed.

    Raises:
        CheckpointInvalid: malformed, or not signed by that key.
    """
    name, public = parsed_key(verifier)
    text, signed = signatures(note)
    wanted = key_id(name, public)
    for one in signed:
        if one.name == name and one.key_id == wanted and check(public, text.encode(), one.bytes):
            return text
    raise CheckpointInvalid(f"{name} did not sign this")


def checkpoint_of(text: str) -> Checkpoint:
    """
    Return what the text of a checkpoint says, believed or not.

    Raises:
        CheckpointInvalid: it is none.
    """
    try:
        origin, size, root, end = text.split("\n")
        hashed = base64.b64decode(root, validate=True)
    except ValueError:
        raise CheckpointInvalid("the checkpoint cannot be read") from None
    if end or not (size.isascii() and size.isdigit()) or str(int(size)) != size:
        raise CheckpointInvalid("the size is not a number")
    return Checkpoint(origin, int(size), hashed)


def read_checkpoint(note: str, verifier: str, check: Check = ed25519.verified) -> Checkpoint:
    """
    Check a signed note against a verifier key, and return what it says.

    Raises:
        CheckpointInvalid: malformed, or not signed by that key.
    """
    return checkpoint_of(signed_text(note, verifier, check))
