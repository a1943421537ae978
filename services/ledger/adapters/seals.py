"""Where the sealed log's tree is kept: subtrees, places of leaves, signed checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import TextClause, and_, delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ledger.adapters.bulk import put
from services.ledger.adapters.tables import (
    CHECKPOINTS,
    COSIGNATURES,
    SEALED_LEAVES,
    SEALED_NODES,
)
from services.ledger.application.ports import Logged
from shared.audit.merkle import Node


class Sealed(NamedTuple):
    """A signed checkpoint as it is kept."""

    size: int
    note: str
    sealed_at_us: int


class Place(NamedTuple):
    """Which leaf an event is, and where it stands in the log."""

    number: int
    position: int


@dataclass(slots=True)
class Seals:
    """Reads and writes the tree of one log."""

    engine: AsyncEngine

    async def checkpoint(self, size: int = 0) -> Sealed | None:
        """Return the checkpoint of a size, or the last one; None when there is none."""
        query = select(CHECKPOINTS).order_by(CHECKPOINTS.c.size.desc()).limit(1)
        if size:
            query = query.where(CHECKPOINTS.c.size == size)
        async with self.engine.connect() as connection:
            row = (await connection.execute(query)).first()
            return Sealed(*row) if row else None

    async def size(self) -> tuple[int, int]:
        """Return how many leaves are sealed, and the position of the last one."""
        rows = SEALED_LEAVES.c
        query = select(rows.number, rows.position).order_by(rows.number.desc()).limit(1)
        async with self.engine.connect() as connection:
            row = (await connection.execute(query)).first()
            return (row[0] + 1, row[1]) if row else (0, 0)

    async def place(self, originator_id: str, version: int) -> Place | None:
        """Return the place of an event; None when it is not sealed."""
        rows = SEALED_LEAVES.c
        query = select(rows.number, rows.position).where(
            rows.originator_id == originator_id, rows.version == version
        )
        async with self.engine.connect() as connection:
            row = (await connection.execute(query)).first()
            return Place(*row) if row else None

    async def nodes(self, wanted: Sequence[Node]) -> dict[Node, bytes]:
        """Return the hashes of subtrees, all read at once."""
        if not wanted:
            return {}
        given = {
            f"{name}{k}": at for k, n in enumerate(wanted) for name, at in zip("ln", n, strict=True)
        }
        async with self.engine.connect() as connection:
            found = await connection.execute(_nodes_query(len(wanted)), given)
            return {(level, number): bytes(value) for level, number, value in found}

    async def cosigned(self, witness: str) -> int:
        """Return the size of the last checkpoint that a witness has cosigned; 0 for none."""
        rows = COSIGNATURES.c
        async with self.engine.connect() as connection:
            query = select(func.max(rows.size)).where(rows.witness == witness)
            return (await connection.execute(query)).scalar() or 0

    async def cosign(self, size: int, witness: str, line: str) -> None:
        """Keep the line by which a witness cosigned a checkpoint, once."""
        rows = COSIGNATURES.c
        async with self.engine.begin() as connection:
            same = and_(rows.size == size, rows.witness == witness)
            await connection.execute(delete(COSIGNATURES).where(same))
            row = {"size": size, "witness": witness, "line": line}
            await connection.execute(insert(COSIGNATURES), row)

    async def cosignatures(self, size: int = 0) -> tuple[int, dict[str, str]]:
        """Return the lines of each witness under a checkpoint, by default the last cosigned."""
        rows = COSIGNATURES.c
        async with self.engine.connect() as connection:
            if not size:
                size = (await connection.execute(select(func.max(rows.size)))).scalar() or 0
            query = select(rows.witness, rows.line).where(rows.size == size).order_by(rows.witness)
            found = await connection.execute(query)
            return size, {witness: line for witness, line in found}

    async def all_checkpoints(self) -> list[Sealed]:
        """Return every checkpoint, the smallest first."""
        async with self.engine.connect() as connection:
            found = await connection.execute(select(CHECKPOINTS).order_by(CHECKPOINTS.c.size))
            return [Sealed(*row) for row in found]

    async def leaves(self) -> int:
        """Return how many leaves are kept."""
        async with self.engine.connect() as connection:
            query = select(func.count()).select_from(SEALED_LEAVES)
            return (await connection.execute(query)).scalar() or 0

    async def hashes(self, level: int, first: int, last: int) -> dict[int, bytes]:
        """Return the hashes of one level, from one number to another, both included."""
        rows = SEALED_NODES.c
        query = select(rows.number, rows.hash).where(
            rows.level == level, rows.number.between(first, last)
        )
        async with self.engine.connect() as connection:
            found = await connection.execute(query)
            return {number: bytes(value) for number, value in found}

    async def append(
        self, size: int, rows: Sequence[Logged], nodes: list[tuple[Node, bytes]], note: str, at: int
    ) -> None:
        """Write new leaves, the subtrees that they complete, and the checkpoint, or nothing."""
        leaves = [
            (number, row.position, row.originator_id, row.version)
            for number, row in enumerate(rows, start=size)
        ]
        hashes = [(*node, value) for node, value in nodes]
        async with self.engine.begin() as connection:
            await put(connection, SEALED_LEAVES, leaves, over=False)
            await put(connection, SEALED_NODES, hashes, over=False)
            kept = Sealed(size + len(rows), note, at)
            await connection.execute(insert(CHECKPOINTS), kept._asdict())


@lru_cache(maxsize=128)
def _nodes_query(count: int) -> TextClause:
    """Return the query of as many nodes; as text, since building it each time costs more."""
    either = " OR ".join(f"(level = :l{k} AND number = :n{k})" for k in range(count))
    return text(f"SELECT level, number, hash FROM {SEALED_NODES.name} WHERE {either}")
