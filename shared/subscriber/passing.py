"""What passes by itself: something is away and comes back, or somebody else was faster."""

from __future__ import annotations

from nats.errors import Error as NatsError
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from shared.kernel.errors import LendingError
from shared.runtime.bus import BusDown
from shared.subscriber.inbox import PlaceMoved
from shared.subscriber.snapshot import StatesMissing

AWAY = (BusDown, NatsError, OSError, TimeoutError, OperationalError, InterfaceError)
BEGIN_AGAIN = (*AWAY, StatesMissing, PlaceMoved, IntegrityError)
"""What is away comes back; another process of the same subscriber was faster."""

ENDED_BY_POSTGRESQL = ("40P01", "40001")
"""SQLSTATEs of a transaction that had to give way: in a deadlock, or to one that was first."""


class TryLater(Exception):
    """Raised by a handler when what it needs is away: the same event comes again, and waits."""


def is_passing(failure: Exception) -> bool:
    """Say whether waiting can help: something else is away, the event itself is fine."""
    if isinstance(failure, LendingError):
        return failure.retry
    if isinstance(failure, DBAPIError):
        gave_way = getattr(failure.orig, "sqlstate", None) in ENDED_BY_POSTGRESQL
        return gave_way or isinstance(failure, AWAY)
    return isinstance(failure, (TryLater, *AWAY))
