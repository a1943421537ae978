"""What will not be told for ever is said in time to who hears it, and once."""

from __future__ import annotations

import asyncio

import structlog
from structlog.testing import capture_logs

from shared.subscriber.lanes import NO_HISTORY
from shared.subscriber.trying import Trying
from tests.shared.subscriber.test_lanes import LOAN, Desk, desk, received

__all__ = ["desk"]
ENDING = {"ce-sunset": "2027-06-30,bucket_to=2027-12-31", "ce-successor": "GRACE_BEGUN"}


async def test_an_end_is_logged_once_per_type_and_field(desk: Desk) -> None:
    """Whoever runs the subscriber reads it without a line of code; not for each event."""
    messages = [
        received(one._replace(headers={**one.headers, **ENDING}), number)
        for number, one in enumerate(LOAN, 1)
    ]
    trying = Trying("desk", desk.records.work, desk.lanes, NO_HISTORY)

    # Whatever another test had logged, or not.
    structlog.reset_defaults()
    with capture_logs() as logs:
        await trying.apply(messages[:2], None, asyncio.Event())
        await trying.apply(messages[2:], None, asyncio.Event())

    said = [(one["type"], one["field"], one["until"], one["successor"]) for one in logs]
    assert said == [
        ("GRACE_ENTERED", "", "2027-06-30", "GRACE_BEGUN"),
        ("GRACE_ENTERED", "bucket_to", "2027-12-31", "GRACE_BEGUN"),
    ]
