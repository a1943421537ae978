"""Sign checkpoints and other notes with Ed25519, and check them fast."""

from __future__ import annotations

import base64
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from shared.audit import notes
from shared.audit.notes import Checkpoint, CheckpointInvalid, key_id, verifier_key

__all__ = ["Checkpoint", "CheckpointInvalid", "Signer", "load_signer", "read_checkpoint"]


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
        return verifier_key(self.name, self.public)

    def sign(self, checkpoint: Checkpoint) -> str:
        """Return the checkpoint as a signed note."""
        return self.sign_text(checkpoint.text)

    def sign_text(self, text: str) -> str:
        """Return a text that ends in a newline as a signed note."""
        return f"{text}\n{self.line(text)}"

    def line(self, text: str) -> str:
        """Return the line that says that this key signed a text."""
        signature = self.key.sign(text.encode())
        encoded = base64.b64encode(key_id(self.name, self.public) + signature).decode()
        return f"{notes.SIGNED_BY}{self.name} {encoded}\n"


def load_signer(name: str, path: Path) -> Signer:
    """
    Return the signer whose secret is in a file; a new one, where there is none.

    An empty file, as a loss of power may leave one, is no secret, and signed nothing.

    Raises:
        ValueError: the file holds something that is no secret of an Ed25519 key.
    """
    if not _holds_something(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone_in(path.parent):
            if path.exists() and not _holds_something(path):
                path.unlink()
            _keep(Ed25519PrivateKey.generate().private_bytes_raw(), path)
    secret = base64.b64decode(path.read_text().strip(), validate=True)
    return Signer(name, Ed25519PrivateKey.from_private_bytes(secret))


def _holds_something(path: Path) -> bool:
    try:
        return bool(path.read_bytes().strip(b"\0 \r\n"))
    except FileNotFoundError:
        return False


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let nobody else mend a key in a folder meanwhile."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _keep(secret: bytes, path: Path) -> None:
    """Put a secret in its place whole and on disk, or not at all; who came first has the place."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(base64.b64encode(secret).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def verified(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether a signature over a message is that of a key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (ValueError, InvalidSignature):
        return False
    return True


def read_checkpoint(note: str, verifier: str) -> Checkpoint:
    """
    Check a signed note against a verifier key, and return what it says.

    Raises:
        CheckpointInvalid: malformed, or not signed by that key.
    """
    return notes.read_checkpoint(note, verifier, verified)
