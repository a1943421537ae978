"""Signed checkpoints: C2SP tlog-checkpoint in a signed note, so that others' tools read them."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

ED25519 = b"\x01"


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


class Signer(NamedTuple):
    """A named key that signs notes."""

    name: str
    key: Ed25519PrivateKey

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self.key.public_key().public_bytes_raw()

    @property
    def verifier(self) -> str:
        """The verifier key as tools take it: name, key id, and type with public key."""
        typed = base64.b64encode(ED25519 + self.public).decode()
        return f"{self.name}+{_key_id(self.name, self.public).hex()}+{typed}"

    def sign(self, checkpoint: Checkpoint) -> str:
        """Return the checkpoint as a signed note."""
        signature = self.key.sign(checkpoint.text.encode())
        line = base64.b64encode(_key_id(self.name, self.public) + signature).decode()
        return f"{checkpoint.text}\n\u2014 {self.name} {line}\n"


def load_signer(name: str, path: Path) -> Signer:
    """Return the signer whose secret is in a file; a new one, where there is no file."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        secret = Ed25519PrivateKey.generate().private_bytes_raw()
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return load_signer(name, path)
        with os.fdopen(handle, "w") as file:
            file.write(base64.b64encode(secret).decode() + "\n")
    secret = base64.b64decode(path.read_text().strip(), validate=True)
    return Signer(name, Ed25519PrivateKey.from_private_bytes(secret))


def _key_id(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


def read_checkpoint(note: str, verifier: str) -> Checkpoint:
    """
    Check a signed note against a verifier key, and return what it says.

    Raises:
        CheckpointInvalid: malformed, or not signed by that key.
    """
    try:
        name, key_id, typed = verifier.split("+", 2)
        public = base64.b64decode(typed, validate=True)
        text, _, signatures = note.rpartition("\n\n")
        text += "\n"
        origin, size, root, end = text.split("\n")
    except ValueError:
        raise CheckpointInvalid("the note or the key cannot be read") from None
    if public[:1] != ED25519 or _key_id(name, public[1:]).hex() != key_id or end:
        raise CheckpointInvalid("the key is not an Ed25519 verifier key")
    _check_signature(text, signatures, name, public[1:])
    if not size.isdigit() or str(int(size)) != size:
        raise CheckpointInvalid("the size is not a number")
    return Checkpoint(origin, int(size), base64.b64decode(root, validate=True))


def _check_signature(text: str, signatures: str, name: str, public: bytes) -> None:
    for line in signatures.splitlines():
        mark, _, rest = line.partition(" ")
        signer, _, encoded = rest.partition(" ")
        if mark != "\u2014" or signer != name:
            continue
        try:
            signed = base64.b64decode(encoded, validate=True)
            if signed[:4] == _key_id(name, public):
                Ed25519PublicKey.from_public_bytes(public).verify(signed[4:], text.encode())
                return
        except (ValueError, InvalidSignature):
            continue
    raise CheckpointInvalid(f"{name} did not sign this")
