"""What passes by itself: something is away and comes back, or somebody else was faster."""

from __future__ import annotations

from nats.errors import Error as NatsError
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from shared.kernel.errors import LendingError
from shared.runtime.bus import BusDown
from shared.subscriber.inbox import PlaceMoved
from shared.subscriber.marks import StreamReplaced
from shared.subscriber.snapshot import StatesMissing

AWAY = (BusDown, NatsError, OSError, TimeoutError, OperationalError, InterfaceError)
FASTER = (StatesMissing, StreamReplaced, PlaceMoved, IntegrityError)
"""Another process of the same subscriber was faster, or somebody emptied or replaced a stream."""

PASSING_STATES = ("08", "40", "53", "55P03", "57", "58")
"""
How SQLSTATEs begin with which PostgreSQL says that the statement was not the fault.

The connection broke; it had to give way, in a deadlock or to one that was first; disk, memory or
connections ran out; a lock was not free in time; an operator ended it; its own files failed it.
"""


class TryLater(Exception):
    """Raised by a handler when what it needs is away: the same event comes again, and waits."""


def is_passing(failure: BaseException) -> bool:
    """Say whether waiting can help: something else is away, the event itself is fine."""
    if isinstance(failure, LendingError):
        return failure.retry
    if isinstance(failure, DBAPIError):
        state = getattr(failure.orig, "sqlstate", None) or ""
        return state.startswith(PASSING_STATES) or isinstance(failure, AWAY)
    return isinstance(failure, (TryLater, *AWAY))


def begins_again(failure: BaseException) -> bool:
    """Say whether a subscriber that starts anew from what its database holds can go on."""
    return is_passing(failure) or isinstance(failure, FASTER)
