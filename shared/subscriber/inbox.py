"""What a subscriber has heard, kept in its own database and changed in its own transactions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import (
    TextClause,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.subscriber.chain import Place
from shared.subscriber.inbox_tables import METADATA, PARKED, PLACES, READ, TOLD_BEFORE

CHUNK = 500


class PlaceMoved(Exception):
    """Another process of the same subscriber was faster; nothing was changed."""


class Read(NamedTuple):
    """How far the stream was read: its sequence, the hash found there, and where replay ends."""

    sequence: int = 0
    mark: str = ""
    replay_until: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """An event that waits outside its lane, and why."""

    number: int = 0
    loan_id: str
    sequence: int
    digest: str
    reason: str
    detail: str
    subject: str
    headers: bytes
    body: bytes
    stream_sequence: int
    stored_at: datetime
    redrive: int = 0


@dataclass(frozen=True, slots=True)
class Inbox:
    """The tables of one subscriber; every call is part of the caller's transaction."""

    subscriber: str

    async def read(self, connection: AsyncConnection) -> Read | None:
        """Return how far the stream was read; None for a subscriber that never read."""
        query = select(READ.c.sequence, READ.c.mark, READ.c.replay_until)
        found = await connection.execute(query.where(READ.c.subscriber == self.subscriber))
        row = found.first()
        return Read(*row) if row else None

    async def set_read(self, connection: AsyncConnection, read: Read) -> None:
        """Store how far the stream was read."""
        mine = update(READ).where(READ.c.subscriber == self.subscriber)
        if not (await connection.execute(mine.values(**read._asdict()))).rowcount:
            row = {"subscriber": self.subscriber, **read._asdict()}
            await connection.execute(insert(READ), row)

    async def told_before(self, connection: AsyncConnection) -> datetime | None:
        """Return up to when the ledger had learned what is older than a muted subscriber."""
        mine = TOLD_BEFORE.c.subscriber == self.subscriber
        found = (await connection.execute(select(TOLD_BEFORE.c.recorded_at).where(mine))).scalar()
        return datetime.fromisoformat(found) if found else None

    async def set_told_before(self, connection: AsyncConnection, at: datetime | None) -> None:
        """Store the recorded time of the last event that is older, if there is one."""
        mine = TOLD_BEFORE.c.subscriber == self.subscriber
        await connection.execute(delete(TOLD_BEFORE).where(mine))
        if at is not None:
            row = {"subscriber": self.subscriber, "recorded_at": at.isoformat()}
            await connection.execute(insert(TOLD_BEFORE), row)

    async def places(self, connection: AsyncConnection, loans: Iterable[str]) -> dict[str, Place]:
        """Return the places of the loans that were heard of, locked where the database can."""
        names, found = sorted(set(loans)), {}
        for start in range(0, len(names), CHUNK):
            query = (
                select(PLACES.c.loan_id, PLACES.c.sequence, PLACES.c.hash)
                .where(PLACES.c.subscriber == self.subscriber)
                .where(PLACES.c.loan_id.in_(names[start : start + CHUNK]))
                .order_by(PLACES.c.loan_id)
                .with_for_update()
            )
            rows = await connection.execute(query)
            found.update({loan_id: Place(number, digest) for loan_id, number, digest in rows})
        return found

    async def all_places(self, connection: AsyncConnection) -> dict[str, Place]:
        """Return the places of all loans that were heard of."""
        query = select(PLACES.c.loan_id, PLACES.c.sequence, PLACES.c.hash)
        rows = await connection.execute(query.where(PLACES.c.subscriber == self.subscriber))
        return {loan_id: Place(number, digest) for loan_id, number, digest in rows}

    async def set_places(
        self,
        connection: AsyncConnection,
        before: Mapping[str, Place],
        after: Mapping[str, Place],
    ) -> None:
        """
        Store the places that moved.

        Raises:
            PlaceMoved, IntegrityError: somebody else moved one of them since it was read.
        """
        keys = {"subscriber": self.subscriber}
        moved = {name: place for name, place in after.items() if before.get(name) != place}
        new = [
            {**keys, "loan_id": name, **place._asdict()}
            for name, place in moved.items()
            if name not in before
        ]
        old = sorted(name for name in moved if name in before)
        if new:
            await connection.execute(insert(PLACES), new)
        for start in range(0, len(old), CHUNK):
            part = old[start : start + CHUNK]
            given = dict(keys)
            for k, name in enumerate(part):
                given |= {f"loan{k}": name, f"before{k}": before[name].sequence}
                given |= {f"after{k}": moved[name].sequence, f"hash{k}": moved[name].hash}
            done = await connection.execute(_move(len(part)), given)
            if done.rowcount != len(part):
                raise PlaceMoved(f"the place of a loan among {part} has moved")

    async def seed(self, connection: AsyncConnection, places: Mapping[str, Place]) -> None:
        """Take over the places of a snapshot, instead of the events before it."""
        keys = {"subscriber": self.subscriber}
        rows = [{**keys, "loan_id": name, **place._asdict()} for name, place in places.items()]
        await connection.execute(delete(PLACES).where(PLACES.c.subscriber == self.subscriber))
        if rows:
            await connection.execute(insert(PLACES), rows)

    async def park(self, connection: AsyncConnection, parked: Parked) -> bool:
        """Put an event aside; return False when this very event already waits."""
        same = select(PARKED.c.number).where(
            PARKED.c.subscriber == self.subscriber,
            PARKED.c.loan_id == parked.loan_id,
            PARKED.c.sequence == parked.sequence,
            PARKED.c.digest == parked.digest,
        )
        if (await connection.execute(same)).first() is not None:
            return False
        names = [column.name for column in PARKED.columns if column.name != "number"]
        row = {name: getattr(parked, name) for name in names if name != "subscriber"}
        await connection.execute(insert(PARKED), {"subscriber": self.subscriber, **row})
        return True

    async def parked(
        self, connection: AsyncConnection, loans: Sequence[str] = (), *, redrive: bool = False
    ) -> list[Parked]:
        """Return what waits, in the order of each loan: of some loans, or marked for redrive."""
        columns = [column for column in PARKED.columns if column.name != "subscriber"]
        query = select(*columns).where(PARKED.c.subscriber == self.subscriber)
        if loans:
            query = query.where(PARKED.c.loan_id.in_(loans))
        if redrive:
            query = query.where(PARKED.c.redrive == 1)
        query = query.order_by(PARKED.c.loan_id, PARKED.c.sequence, PARKED.c.number)
        return [Parked(**row) for row in (await connection.execute(query)).mappings()]

    async def lanes_parked(self, connection: AsyncConnection) -> dict[str, int]:
        """Return how many events wait, by loan."""
        query = (
            select(PARKED.c.loan_id, func.count())
            .where(PARKED.c.subscriber == self.subscriber)
            .group_by(PARKED.c.loan_id)
        )
        return {loan_id: count for loan_id, count in await connection.execute(query)}

    async def lanes_with_gap(self, connection: AsyncConnection) -> set[str]:
        """Return the loans with an event that waits for one that never came."""
        query = select(PARKED.c.loan_id).distinct()
        query = query.where(PARKED.c.subscriber == self.subscriber, PARKED.c.reason == "GAP")
        return set((await connection.execute(query)).scalars())

    async def unpark(self, connection: AsyncConnection, numbers: Sequence[int]) -> None:
        """Forget events that wait no more."""
        if numbers:
            await connection.execute(delete(PARKED).where(PARKED.c.number.in_(numbers)))

    async def mark_failed(self, connection: AsyncConnection, parked: Parked) -> None:
        """Let an event that already waits wait for a redrive, with its new reason."""
        change = update(PARKED).where(
            PARKED.c.subscriber == self.subscriber,
            PARKED.c.loan_id == parked.loan_id,
            PARKED.c.sequence == parked.sequence,
            PARKED.c.digest == parked.digest,
        )
        values = {"reason": parked.reason, "detail": parked.detail, "redrive": 0}
        await connection.execute(change.values(**values))

    async def waits_for(
        self, connection: AsyncConnection, number: int, reason: str, detail: str
    ) -> None:
        """Give an event that waits another reason."""
        change = update(PARKED).where(PARKED.c.number == number)
        await connection.execute(change.values(reason=reason, detail=detail))

    async def redriven(self, connection: AsyncConnection, loan_id: str) -> None:
        """Forget that a redrive of a loan was asked for."""
        change = update(PARKED).where(PARKED.c.subscriber == self.subscriber)
        change = change.where(PARKED.c.loan_id == loan_id, PARKED.c.redrive == 1)
        await connection.execute(change.values(redrive=0))

    async def redrive(self, connection: AsyncConnection, loan_id: str = "") -> int:
        """Ask the running subscriber to try parked events again; return how many."""
        change = update(PARKED).where(PARKED.c.subscriber == self.subscriber)
        if loan_id:
            change = change.where(PARKED.c.loan_id == loan_id)
        return (await connection.execute(change.values(redrive=1))).rowcount


@lru_cache(maxsize=CHUNK)
def _move(count: int) -> TextClause:
    """Return the statement that moves so many places on, unless they have moved meanwhile."""
    rows = ", ".join(
        f"(CAST(:loan{k} AS VARCHAR(40)), CAST(:before{k} AS BIGINT),"
        f" CAST(:after{k} AS BIGINT), CAST(:hash{k} AS VARCHAR(64)))"
        for k in range(count)
    )
    # SQLite and PostgreSQL give the columns of VALUES the same names.
    return text(
        f"UPDATE {PLACES.name} SET sequence = given.column3, hash = given.column4"
        f" FROM (VALUES {rows}) AS given WHERE {PLACES.name}.subscriber = :subscriber"
        f" AND {PLACES.name}.loan_id = given.column1"
        f" AND {PLACES.name}.sequence = given.column2"
    )


async def create_inbox(engine: AsyncEngine) -> None:
    """Create the subscriber's tables where they are missing."""
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
