"""What passes by itself: something is away and comes back, or somebody else was faster."""

from __future__ import annotations

from nats.errors import Error as NatsError
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError

from shared.kernel.errors import LendingError
from shared.runtime.bus import BusDown
from shared.subscriber.inbox import PlaceMoved
from shared.subscriber.snapshot import StatesMissing

AWAY = (BusDown, NatsError, OSError, TimeoutError, OperationalError, InterfaceError)
BEGIN_AGAIN = (*AWAY, StatesMissing, PlaceMoved, IntegrityError)
"""What is away comes back; another process of the same subscriber was faster."""


class TryLater(Exception):
    """Raised by a handler when what it needs is away: the same event comes again, and waits."""


def is_passing(failure: Exception) -> bool:
    """Say whether waiting can help: something else is away, the event itself is fine."""
    if isinstance(failure, LendingError):
        return failure.retry
    return isinstance(failure, (TryLater, *AWAY))
