"""What becomes of events, and how one waits outside its lane, in texts that any database takes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.runtime.reading import Message
from shared.subscriber import checkpoints
from shared.subscriber.chain import Place, Verdict
from shared.subscriber.inbox import Parked

UNREADABLE, POISON, BEHIND, GAP = "UNREADABLE", "POISON", "BEHIND", str(Verdict.GAP)
WAITING = (GAP, BEHIND)
"""Reasons that end by themselves, once what comes before was told."""

FAULTS = (
    *(Verdict.GAP, Verdict.FORKED, Verdict.REWRITTEN, UNREADABLE, POISON),
    *checkpoints.FAULTS,
)

DETAIL_MAX, LOAN_ID_MAX, SUBJECT_MAX = 2_000, 40, 200
TELLING = ("ce-type", "ce-subject", "ce-sequence", "ce-previoushash")
"""Headers that make an event what it is: with another of them, the same body is another one."""


@dataclass(slots=True)
class Applied:
    """What became of a batch: events by outcome, and loans with a gap."""

    outcomes: Counter[str] = field(default_factory=Counter)
    gaps: set[str] = field(default_factory=set)
    faults: list[tuple[str, str]] = field(default_factory=list)

    def count(self, outcome: str, event_id: str) -> None:
        """Take one event."""
        self.outcomes[outcome] += 1
        if outcome in FAULTS:
            self.faults.append((outcome, event_id))


def parked_of(message: Message, loan_id: str, reason: str, detail: str) -> Parked:
    """Return a message as it is parked."""
    number = message.headers.get("ce-sequence", "")
    return Parked(
        loan_id=storable(loan_id)[:LOAN_ID_MAX],
        sequence=int(number) if number.isascii() and number.isdigit() and len(number) < 19 else 0,
        digest=digest_of(message),
        reason=reason,
        detail=storable(detail)[:DETAIL_MAX],
        subject=storable(message.subject)[:SUBJECT_MAX],
        headers=json.dumps(dict(message.headers)).encode(),
        body=message.body,
        stream_sequence=message.sequence,
        stored_at=message.stored_at,
    )


def message_of(row: Parked) -> Message:
    """Return a parked message as it came."""
    headers = json.loads(row.headers)
    return Message(row.subject, row.body, headers, row.stream_sequence, row.stored_at)


def digest_of(message: Message) -> str:
    """Return what tells a message from another of the same number: by body and telling headers."""
    said = [message.subject, *(message.headers.get(name, "") for name in TELLING)]
    return hashlib.sha256(json.dumps(said).encode() + message.body).hexdigest()


def storable(text: str) -> str:
    """Return a text without what databases refuse: zeros, and halves of signs."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def is_known_to_wait(place: Place, rows: Iterable[Parked]) -> bool:
    """Say whether it is known what a lane waits for: the next is parked, or known to lack."""
    return any(row.reason == GAP or row.sequence == place.sequence + 1 for row in rows)
