"""Change the key that signs the log: both keys say so, in the log itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from services.ledger.application.ports import Log
from services.ledger.domain.book_events import SigningKeyRotated
from shared.audit.checkpoints import Signer, load_signer, sync_folder
from shared.audit.notes import key_id, parsed_key, signatures
from shared.audit.rotations import rotation_text

SIGNING_KEY = "signing-key"
"""The stream of the log that says which key took the place of which."""


def rotations(log: Log) -> list[SigningKeyRotated]:
    """Return every change of key, oldest first."""
    return [e for e in log.stream(SIGNING_KEY) if isinstance(e, SigningKeyRotated)]


def keys_of(log: Log, now: str) -> list[str]:
    """Return the verifier keys that the log ever had, the one of now last."""
    before = [event.verifier_before for event in rotations(log)]
    return [*(key for key in before if key != now), now]


def signed_by(note: str, keys: Sequence[str]) -> str:
    """Return which of some keys a note names as its signer; the last one where several do."""
    named = {(one.name, one.key_id) for one in signatures(note)[1]}
    for key in reversed(keys):
        name, public = parsed_key(key)
        if (name, key_id(name, public)) in named:
            return key
    return keys[-1]


def rotate(log: Log, path: Path, name: str, *, now: datetime, reason: str) -> SigningKeyRotated:
    """
    Put a new key in the place of the log's key, or finish what was cut short.

    The new secret is on disk before the log says so, and takes its place after.

    Args:
        log: Where the change is recorded; a running ledger's sealer sees it there.
        path: The file of the secret key.
        name: The log's name in its checkpoints.
        now: When.
        reason: Why; kept for ever.
    """
    waiting = path.with_name(path.name + ".next")
    old, new = load_signer(name, path), load_signer(name, waiting)
    done = rotations(log)
    if not done or done[-1].verifier_after != new.verifier:
        event = _event(old, new, now, reason)
        log.append([(SIGNING_KEY, len(done), [event])])
        done = [*done, event]
    waiting.replace(path)
    sync_folder(path.parent)
    return done[-1]


def _event(old: Signer, new: Signer, now: datetime, reason: str) -> SigningKeyRotated:
    text = rotation_text(old.verifier, new.verifier)
    return SigningKeyRotated(
        recorded_at=now,
        reason=reason,
        verifier_before=old.verifier,
        verifier_after=new.verifier,
        statement=old.sign_text(text) + new.line(text),
    )
