"""Where the sealed log's tree is kept: subtrees, places of leaves, signed checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
from shared.kernel.bounded import Bounded

KEPT_FROM_LEVEL, KEPT_BYTES_MAX = 6, 8 << 20
"""Hashes of subtrees of 64 events and more are kept; a million events have 31,250 of them."""


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
    """
    Reads and writes the tree of one log.

    A complete subtree never changes, so the hashes of large ones are kept once read.
    """

    engine: AsyncEngine
    known: Bounded[bytes] = field(default_factory=lambda: Bounded(KEPT_BYTES_MAX, _kept_bytes))

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

    async def sealed(self, originator_id: str, version: int) -> tuple[Place, Sealed] | None:
        """Return the place of an event and the last checkpoint, which covers it, by one look."""
        asked = {"originator": originator_id, "version": version}
        async with self.engine.connect() as connection:
            row = (await connection.execute(_SEALED, asked)).first()
            return (Place(*row[:2]), Sealed(*row[2:])) if row else None

    async def nodes(self, wanted: Sequence[Node]) -> dict[Node, bytes]:
        """Return the hashes of subtrees; those that are not known yet are read at once."""
        known = {node: value for node in wanted if (value := self.known.get(f"{node}"))}
        missing = [node for node in wanted if node not in known]
        if not missing:
            return known
        given = {
            f"{name}{k}": at
            for k, n in enumerate(missing)
            for name, at in zip("ln", n, strict=True)
        }
        async with self.engine.connect() as connection:
            found = await connection.execute(_nodes_query(len(missing)), given)
            read = {(level, number): bytes(value) for level, number, value in found}
        for node, value in read.items():
            if node[0] >= KEPT_FROM_LEVEL:
                self.known.put(f"{node}", value)
        return {**known, **read}

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


_SEALED = text(
    f"SELECT l.number, l.position, c.size, c.note, c.sealed_at_us FROM {SEALED_LEAVES.name} l"
    f" CROSS JOIN (SELECT size, note, sealed_at_us FROM {CHECKPOINTS.name}"
    " ORDER BY size DESC LIMIT 1) c"
    " WHERE l.originator_id = :originator AND l.version = :version"
)


def _kept_bytes(value: bytes) -> int:
    """Return what a hash and its name take, about."""
    return 250
