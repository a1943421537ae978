"""The digest of a closed day: counted again from the log by a relay that begins, published once."""

from __future__ import annotations

import asyncio

import structlog

from services.ledger.application.following import Follower
from services.ledger.wire_digest import DayTold
from shared.runtime.bus import Bus, Draft, SequenceMoved
from shared.runtime.streams import DIGEST, STREAM

PAGE = 500


def day_so_far(follower: Follower, position: int) -> DayTold:
    """Count what was told since the last day that was closed, up to a position of the log."""
    closed = follower.last_closed(position)
    day = DayTold()
    if closed is not None:
        day.reached, day.previous_on = closed.position, closed.event.on.isoformat()
    while day.reached < position:
        page = follower.page(day.reached, PAGE, until=position)
        for row in page.followed:
            day.take(row)
        if page.reached == day.reached:
            break
        day.reached = page.reached
    day.reached = position
    return day


async def mend_digest(bus: Bus, follower: Follower, position: int) -> None:
    """
    Publish the digest of the day that was closed last up to a position, where it is missing.

    Raises:
        BusDown: ask again.
    """
    closed = await asyncio.to_thread(follower.last_closed, position)
    if closed is None or await bus.last_message(STREAM, f"{DIGEST}.{closed.event.on}"):
        return
    day = await asyncio.to_thread(day_so_far, follower, closed.position - 1)
    await tell_digest(bus, day.close(closed))


async def tell_digest(bus: Bus, draft: Draft) -> None:
    """
    Publish a digest unless it is there.

    Raises:
        BusDown: it may be stored or not; publish it again.
    """
    try:
        await bus.publish(draft.subject, draft.body, draft.id, draft.headers, draft.fence)
    except SequenceMoved:
        found = await bus.last_message(STREAM, draft.subject)
        if found is not None and found.data != draft.body:
            log = structlog.get_logger()
            log.error("the stream has another digest", digest=draft.headers["ce-id"])
