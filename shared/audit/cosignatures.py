"""Cosignatures of witnesses as C2SP writes them (cosignature/v1): what was seen, and when."""

from __future__ import annotations

from typing import NamedTuple

from shared.audit import ed25519
from shared.audit.notes import (
    Check,
    Checkpoint,
    CheckpointInvalid,
    checkpoint_of,
    key_id,
    parsed_key,
    signatures,
)

COSIGNATURE = b"\x04"


class Cosigned(NamedTuple):
    """A checkpoint that a witness has seen to continue the ones before it."""

    witness: str
    checkpoint: Checkpoint
    seen_at: int


def cosigned_message(text: str, seen_at: int) -> bytes:
    """Return what a witness signs of a checkpoint's text, at a time in seconds since 1970."""
    return f"cosignature/v1\ntime {seen_at}\n{text}".encode()


def read_cosignature(note: str, witness: str, check: Check = ed25519.verified) -> Cosigned:
    """
    Check the cosignature of a witness, by its verifier key, under a note.

    Raises:
        CheckpointInvalid: that witness has not cosigned it.
    """
    name, public = parsed_key(witness, COSIGNATURE)
    text, signed = signatures(note)
    wanted = key_id(name, public, COSIGNATURE)
    for one in signed:
        if one.name != name or one.key_id != wanted or len(one.bytes) != 72:
            continue
        seen_at = int.from_bytes(one.bytes[:8])
        if check(public, cosigned_message(text, seen_at), one.bytes[8:]):
            return Cosigned(name, checkpoint_of(text), seen_at)
    raise CheckpointInvalid(f"{name} has not cosigned this")
