"""What the checks of evidence packs share."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from shared.audit.notes import Checkpoint, CheckpointInvalid, checkpoint_of, parsed_key, signed_text

Files = dict[str, bytes]


class Step(NamedTuple):
    """One check that held."""

    name: str
    count: int


def read_leaf(leaf: str) -> tuple[list[Any], dict[str, Any]]:
    """Return an event's head [position, stream, version, topic], and what it says."""
    head, _, state = leaf.partition("\n")
    return json.loads(head), json.loads(state)


def signed_by_any(note: str, keys: list[str]) -> str:
    """
    Return the text of a note that one of some keys signed.

    Raises:
        CheckpointInvalid: none did.
    """
    for key in keys[1:]:
        try:
            return signed_text(note, key)
        except CheckpointInvalid:
            continue
    return signed_text(note, keys[0])


def checkpoint_by(files: Files, name: str, keys: list[str]) -> Checkpoint:
    """
    Return what a signed checkpoint in a file says.

    Raises:
        CheckpointInvalid: none of the keys signed it, or it is of another log.
    """
    said = checkpoint_of(signed_by_any(files[name].decode(), keys))
    if said.origin not in {parsed_key(key)[0] for key in keys}:
        raise CheckpointInvalid(f"{name} is of another log: {said.origin}")
    return said
