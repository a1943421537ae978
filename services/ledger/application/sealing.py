"""Seal the log: every stored event becomes a leaf of a Merkle tree whose root is signed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec
import structlog

from services.ledger.application.key_rotation import SIGNING_KEY
from services.ledger.application.ports import Log, Logged
from services.ledger.application.rows import microseconds
from shared.audit.checkpoints import Checkpoint, Signer
from shared.audit.merkle import Node, grown, leaf_hash, root

PAGE = 2_000
POLL_SECONDS, GATHER_SECONDS = 0.5, 0.2


class Sealing(Protocol):
    """Where the tree is kept."""

    async def nodes(self, wanted: Sequence[Node]) -> dict[Node, bytes]:
        """Return the hashes of subtrees."""

    async def size(self) -> tuple[int, int]:
        """Return how many leaves are sealed, and the position of the last one."""

    async def append(
        self, size: int, rows: Sequence[Logged], nodes: list[tuple[Node, bytes]], note: str, at: int
    ) -> None:
        """Write new leaves, the subtrees that they complete, and the checkpoint, or nothing."""


def leaf_of(row: Logged) -> bytes:
    """Return what is sealed of an event: its place in the log and its stream, and its bytes."""
    head = [row.position, row.originator_id, row.version, row.topic]
    return msgspec.json.encode(head) + b"\n" + row.state


def edge(size: int) -> list[Node]:
    """Return the complete subtrees that a tree of a size is made of, from the right."""
    return [(k, (size >> k) - 1) for k in range(size.bit_length()) if size >> k & 1]


@dataclass(slots=True)
class Sealer:
    """Follows the log and seals it, page by page; each page ends with a signed checkpoint."""

    log: Log
    tree: Sealing
    signer: Signer
    now: Callable[[], datetime]
    page: int = PAGE
    reload: Callable[[], Signer] | None = None
    size: int = 0
    position: int = 0
    edge: dict[Node, bytes] = field(default_factory=dict)
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    hurried: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, stop: asyncio.Event) -> None:
        """Seal what comes until told to stop."""
        await self.begin()
        while not stop.is_set():
            self.woken.clear()
            sealed = await self.step()
            if sealed >= self.page:
                continue  # More waits than a page: to gather would be to fall behind.
            if not sealed:
                await _wait(self.woken, POLL_SECONDS)
            await _wait(self.hurried, GATHER_SECONDS)
            self.hurried.clear()

    async def begin(self) -> None:
        """Go on where the tree ends."""
        self.size, self.position = await self.tree.size()
        self.edge = await self.tree.nodes(edge(self.size))

    async def step(self) -> int:
        """Seal one page; return how many events it had."""
        rows = await asyncio.to_thread(self.log.log, self.position, self.page)
        rows, signers = self._signers(rows)
        if not rows:
            return 0
        fresh = grown(self.size, [leaf_hash(leaf_of(row)) for row in rows], self.edge.__getitem__)
        known = {**self.edge, **dict(fresh)}
        size = self.size + len(rows)
        said = Checkpoint(self.signer.name, size, root(size, known.__getitem__))
        note = signers[0].sign(said) + "".join(one.line(said.text) for one in signers[1:])
        await self.tree.append(self.size, rows, fresh, note, microseconds(self.now()))
        self.size, self.position = size, rows[-1].position
        self.edge = {node: known[node] for node in edge(size)}
        return len(rows)

    def _signers(self, rows: Sequence[Logged]) -> tuple[Sequence[Logged], list[Signer]]:
        """Cut a page after a change of key: both keys sign it, the new one what follows."""
        changes = (k for k, row in enumerate(rows) if row.originator_id == SIGNING_KEY)
        at = next(changes, None)
        if at is None or self.reload is None:
            return rows, [self.signer]
        before = msgspec.json.decode(rows[at].state)["verifier_before"]
        old, new = self.signer, self.reload()
        if new.verifier == before:
            structlog.get_logger().warning(
                "the new signing key is not in its place yet", key=before
            )
            return rows[:at], [old]
        self.signer = new
        return rows[: at + 1], [old] if old.verifier == new.verifier else [old, new]


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
