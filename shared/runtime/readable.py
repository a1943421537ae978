"""Records page by page where one may be unreadable: it stops no other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypeVar

import msgspec
from sqlalchemy import select

from shared.runtime.record_tables import RECORDS, order_of_ids
from shared.runtime.records import PAGE, Work
from shared.runtime.vault import VaultKeyWrong

Record = TypeVar("Record", bound=msgspec.Struct)
UNREADABLE = (msgspec.MsgspecError, VaultKeyWrong, ValueError, KeyError, TypeError, AttributeError)
"""What reading a record raises that is broken, of another shape, or sealed with another key."""


class Unreadable(msgspec.Struct, frozen=True):
    """What stands in the place of a record that cannot be read: state, why, and what is stored."""

    state: str
    why: str
    body: bytes = b""


async def every_readable(
    work: Work, kind: type[Record], *, after: str = "", before: str = ""
) -> AsyncIterator[tuple[str, Record | Unreadable]]:
    """Give all records of a kind between two ids, as `Work.every` does, each with its id."""
    more = True
    while more:
        page = await readable(work, kind, after=after, before=before, limit=PAGE)
        for row in page:
            yield row
        after, more = (page[-1][0], True) if len(page) == PAGE else (after, False)


async def readable(
    work: Work,
    kind: type[Record],
    *,
    state: str = "",
    after: str = "",
    before: str = "",
    limit: int = 100,
) -> list[tuple[str, Record | Unreadable]]:
    """Return records of a kind in order of id, as `Work.find` does, each with its id."""
    key = order_of_ids(work.connection.dialect.name, before)
    query = select(RECORDS.c.id, RECORDS.c.state, RECORDS.c.body)
    query = query.where(RECORDS.c.kind == kind.__name__, key > after)
    query = query.where(key < before) if before else query
    query = query.where(RECORDS.c.state == state) if state else query
    rows = (await work.connection.execute(query.order_by(key).limit(limit))).all()
    try:
        records = await _opened(work, kind, [body for _, _, body in rows])
    except UNREADABLE:
        return [(name, await _one(work, kind, at, body)) for name, at, body in rows]
    return [(name, record) for (name, _, _), record in zip(rows, records, strict=True)]


async def still_unreadable(work: Work, kind: type[msgspec.Struct], record_id: str) -> bool:
    """Say whether a record is there and cannot be read."""
    try:
        await work.get(kind, record_id)
    except UNREADABLE:
        return True
    return False


async def _one(work: Work, kind: type[Record], state: str, body: bytes) -> Record | Unreadable:
    try:
        return (await _opened(work, kind, [body]))[0]
    except UNREADABLE as failure:
        return Unreadable(state, f"{type(failure).__name__}: {failure}", bytes(body))


async def _opened(work: Work, kind: type[Record], bodies: list[Any]) -> list[Record]:
    if work.vault is None:
        return [msgspec.json.decode(body, type=kind) for body in bodies]
    return await work.vault.opened(work.connection, kind, bodies)
