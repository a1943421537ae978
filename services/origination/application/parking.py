"""An application that cannot be read is parked with the reason, and the others go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

import msgspec
import structlog

from services.origination.application.holding import hold
from services.origination.domain.application import Application
from shared.runtime.readable import Unreadable, readable, still_unreadable
from shared.runtime.records import Records

PAGE_SIZE, REASON_MAX = 500, 300
PARKED, READ = "PARKED", "READ"


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """
    An application that could not be read: where it stood, why, and since when that is known.

    `read_at`: when it could be read again; None as long as it cannot.
    """

    application_id: str
    status: str
    reason: str
    at: datetime
    read_at: datetime | None = None


async def each_readable(
    records: Records, now: datetime, state: str = "", after: str = ""
) -> AsyncIterator[Application]:
    """Go through applications by id, a page at a time; those that cannot be read are parked."""
    while True:
        async with records.work() as work:
            page = await readable(work, Application, state=state, after=after, limit=PAGE_SIZE)
        for name, one in page:
            if isinstance(one, Unreadable):
                await park(records, name, one, now)
            else:
                yield one
        if len(page) < PAGE_SIZE:
            return
        after = page[-1][0]


async def park(records: Records, application_id: str, found: Unreadable, now: datetime) -> None:
    """Put an application on the list of those that cannot be read; once, as long as it is."""
    async with records.work() as work:
        held = await hold(work, Parked, application_id)
        since = held.now.at if held.now and held.now.read_at is None else now
        given = Parked(
            application_id=application_id,
            status=found.state,
            reason=found.why[:REASON_MAX],
            at=since,
        )
        if held.now == given:
            return
        await held.put(given, PARKED)
    structlog.get_logger().error("application unreadable", id=application_id, why=given.reason)


async def parked(records: Records, now: datetime, after: str, limit: int) -> list[Parked]:
    """Return applications that cannot be read, by id; one that can be again is listed no more."""
    async with records.work() as work:
        page = await work.find(Parked, state=PARKED, after=after, limit=limit)
    found = []
    for one in page:
        async with records.work() as work:
            held = await hold(work, Parked, one.application_id)
            if await still_unreadable(work, Application, one.application_id):
                found.append(one)
            else:
                await held.put(msgspec.structs.replace(one, read_at=now), READ)
    return found
