"""A record is written by who holds it: nobody else changes it until the transaction ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from shared.kernel.errors import Refused
from shared.runtime.readable import UNREADABLE
from shared.runtime.records import Work

Record = TypeVar("Record", bound=msgspec.Struct)


class RecordUnreadable(Refused):
    """What is stored is broken, of another shape, or sealed with another key."""


@dataclass(frozen=True, slots=True)
class Held(Generic[Record]):
    """A record as it stands, None when there is none; read while it is held, so not outdated."""

    work: Work
    record_id: str
    now: Record | None

    async def put(self, after: Record, state: str = "") -> None:
        """Store what becomes of it."""
        await self.work.put(after, self.record_id, state)


async def hold(work: Work, kind: type[Record], record_id: str) -> Held[Record]:
    """
    Wait until nobody else holds a record, read it, and hold it until the transaction ends.

    Requests are held before borrowers, those before applications, those before guarantors and
    insurers in order of name, and those before what is pledged: so nobody waits for somebody who
    waits for them.
    """
    await work.hold(f"{kind.__name__}/{record_id}")
    return Held(work, record_id, await read(work, kind, record_id))


async def read(work: Work, kind: type[Record], record_id: str) -> Record | None:
    """
    Return a record, None when there is none.

    Raises:
        RecordUnreadable: it is there, but broken, of another shape, or sealed with another key.
    """
    try:
        return await work.get(kind, record_id)
    except UNREADABLE as failure:
        raise RecordUnreadable(
            f"{kind.__name__} {record_id} cannot be read",
            field="application_id",
            expected="the same once it is mended; ListParked says what is wrong with it",
        ) from failure
