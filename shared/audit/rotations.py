"""How a log changes its key: a statement that both keys sign, so that one leads to the other."""

from __future__ import annotations

from collections.abc import Iterable

from shared.audit import ed25519
from shared.audit.notes import Check, CheckpointInvalid, signed_text

TITLE = "duebook-key-rotation/1"


def rotation_text(before: str, after: str) -> str:
    """Return what both keys sign when one takes the place of the other."""
    return f"{TITLE}\n{before}\n{after}\n"


def rotation_of(note: str, check: Check = ed25519.verified) -> tuple[str, str]:
    """
    Return the verifier keys before and after, of a statement that both have signed.

    Raises:
        CheckpointInvalid: it is none.
    """
    lines = note.split("\n")
    if len(lines) < 4 or lines[0] != TITLE:
        raise CheckpointInvalid("it is no statement of a rotation")
    before, after = lines[1], lines[2]
    for key in (before, after):
        if signed_text(note, key, check) != rotation_text(before, after):
            raise CheckpointInvalid("the statement says something else")
    return before, after


def trusted_keys(
    known: str, statements: Iterable[str], check: Check = ed25519.verified
) -> list[str]:
    """
    Return the keys that a known key leads to, itself first.

    A statement holds in both directions, since both keys signed it. Whoever steals a key can also
    sign statements with it: a log that rotated because of a theft must be asked by its new key.

    Raises:
        CheckpointInvalid: a statement is not signed by its keys.
    """
    found = [known.strip()]
    pairs = [rotation_of(note, check) for note in statements]
    for _ in pairs:
        for one, other in (*pairs, *((after, before) for before, after in pairs)):
            if one in found and other not in found:
                found.append(other)
    return found
