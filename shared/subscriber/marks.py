"""Whether a stream is still the one that was read: what stands at the place reached says so."""

from __future__ import annotations

import hashlib

from shared.runtime.bus import Bus


class StreamReplaced(Exception):
    """The stream was made again or rolled back since it was read: read it from its start."""


def mark_of(subject: str, body: bytes) -> str:
    """Return what tells a message at a place from any other."""
    return hashlib.sha256(subject.encode() + b"\n" + body).hexdigest()


async def mark_at(bus: Bus, stream: str, sequence: int) -> str:
    """
    Return the mark of what stands at a place of a stream; empty for nothing, and for place 0.

    Raises:
        BusDown: JetStream does not answer.
    """
    found = await bus.message_at(stream, sequence) if sequence else None
    return mark_of(*found) if found else ""
