"""Read models beside the live ones: compared in one snapshot, switched in one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.ledger.adapters.read_models import ReadModels, set_position
from services.ledger.adapters.tables import LIVE, POSITIONS, Followed, beside
from services.ledger.application.following import Page
from services.ledger.application.verifying import Verdict

BUILD, NEXT = "read-models-build", "read-models-next"
SHOWN_MAX = 100
"""Differences of one table that are named; the others are only counted."""


@dataclass(slots=True)
class BesideModels:
    """The next tables; `begin` says which."""

    models: ReadModels
    tables: Followed = LIVE

    @property
    def engine(self) -> AsyncEngine:
        """The database of all of them."""
        return self.models.engine

    async def begin(self) -> int:
        """Create the tables, or go on with those of a run that was cut short; say how far."""
        number = await self.models.position(BUILD)
        running = await self.models.position(NEXT)
        if not running:
            number += 1
        self.tables = beside(number)
        self.models = ReadModels(self.engine, self.tables, NEXT)
        async with self.engine.begin() as connection:
            await set_position(connection, BUILD, number)
            if not running:
                await connection.run_sync(beside(number - 1)[0].metadata.drop_all)
            await connection.run_sync(self.tables[0].metadata.create_all)
        return running

    async def apply(self, page: Page, after: int) -> None:
        """Write a page and the position that it reaches, in one transaction."""
        await self.models.apply(page, after)

    async def live_position(self) -> int:
        """Return how far the live tables have come."""
        return await self.models.position("read-models")

    async def compare(self, reach: Callable[[int], Awaitable[int]]) -> list[Verdict] | None:
        """Hold every row against the live one, all as of one position; None if not reached."""
        async with self._snapshot() as live:
            query = select(POSITIONS.c.position).where(POSITIONS.c.follower == "read-models")
            position = (await live.execute(query)).scalar() or 0
            if await reach(position) != position:
                return None
            async with self._snapshot() as fresh:
                return [
                    await _compared(live, old, fresh, new)
                    for old, new in zip(LIVE, self.tables, strict=True)
                ]

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection that sees one state of the database, whatever others write."""
        async with self.engine.connect() as connection:
            if self.engine.dialect.name == "sqlite":
                await connection.exec_driver_sql("BEGIN")
            else:
                await connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection
            await connection.rollback()

    async def switch(self, position: int) -> bool:
        """Put these tables, at a position, in place of the live ones; False if they are behind."""
        async with self.engine.connect() as connection:
            at = POSITIONS.c.follower == "read-models"
            # Written first, so that the live follower waits until it is decided.
            moved = await connection.execute(
                update(POSITIONS)
                .where(at, POSITIONS.c.position <= position)
                .values(position=position)
            )
            if moved.rowcount != 1:
                await connection.rollback()
                return False
            for old, new in zip(LIVE, self.tables, strict=True):
                await connection.execute(text(f"DROP TABLE {old.name}"))
                await connection.execute(text(f"ALTER TABLE {new.name} RENAME TO {old.name}"))
            await connection.execute(delete(POSITIONS).where(POSITIONS.c.follower == NEXT))
            await connection.commit()
            return True


async def _compared(
    live: AsyncConnection, old: Table, fresh: AsyncConnection, new: Table
) -> Verdict:
    """Walk through two tables in the order of their key, row by row."""
    rows, named, more = 0, [], 0
    async for mine, theirs in _pairs(_rows(live, old), _rows(fresh, new), len(old.primary_key)):
        rows += theirs is not None
        if mine != theirs:
            if len(named) < SHOWN_MAX:
                named.append(f"live {mine} rebuilt {theirs}")
            else:
                more += 1
    if more:
        named.append(f"and {more} more")
    return Verdict(f"{old.name}: live and rebuilt", rows, named)


async def _rows(connection: AsyncConnection, table: Table) -> AsyncIterator[tuple[Any, ...]]:
    """Yield every row, its key first, in order of the key."""
    key = list(table.primary_key.columns)
    rest = [column for column in table.columns if not column.primary_key]
    found = await connection.stream(select(*key, *rest).order_by(*key))
    async for row in found:
        yield tuple(row)


async def _pairs(
    ours: AsyncIterator[tuple[Any, ...]], theirs: AsyncIterator[tuple[Any, ...]], key: int
) -> AsyncIterator[tuple[tuple[Any, ...] | None, tuple[Any, ...] | None]]:
    """Yield rows of the same key together, and None for one that is missing."""
    mine, other = await anext(ours, None), await anext(theirs, None)
    while mine is not None or other is not None:
        if other is None or (mine is not None and mine[:key] < other[:key]):
            yield mine, None
            mine = await anext(ours, None)
        elif mine is None or other[:key] < mine[:key]:
            yield None, other
            other = await anext(theirs, None)
        else:
            yield mine, other
            mine, other = await anext(ours, None), await anext(theirs, None)
