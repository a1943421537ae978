"""Names that one process at a time holds; SQLite has one process, so there they are free."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


async def hold(connection: AsyncConnection, *names: str) -> None:
    """Wait until no other transaction holds any of the names; hold them until this one ends."""
    if names and connection.dialect.name == "postgresql":
        # In one order for everybody, so that no two wait for each other.
        numbers = sorted(_number(name) for name in names)
        await connection.execute(select(*map(func.pg_advisory_xact_lock, numbers)))


@asynccontextmanager
async def sole(engine: AsyncEngine, name: str) -> AsyncIterator[bool]:
    """Take a role that one process at a time may have; False while another has it."""
    if engine.dialect.name != "postgresql":
        yield True
        return
    number = _number(name)
    async with engine.connect() as connection:
        asked = await connection.execute(select(func.pg_try_advisory_lock(number)))
        ours = bool(asked.scalar())
        await connection.commit()
        try:
            yield ours
        finally:
            if ours:
                await connection.execute(select(func.pg_advisory_unlock(number)))


def _number(name: str) -> int:
    """Return the number under which PostgreSQL locks a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
