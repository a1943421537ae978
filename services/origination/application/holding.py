"""A record is written by who holds it: nobody else changes it until the transaction ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from shared.runtime.records import Work

Record = TypeVar("Record", bound=msgspec.Struct)


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
    return Held(work, record_id, await work.get(kind, record_id))
