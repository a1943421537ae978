"""Prove that an event is in the log as it was sealed, and that the log only ever grew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple, Protocol

from services.ledger.application.ports import Log, Logged
from services.ledger.application.sealing import leaf_of
from shared.audit import merkle
from shared.audit.merkle import Node
from shared.kernel.errors import InvalidArgument, NotFound, Unavailable

SEALED_WITHIN_SECONDS, LOOK_SECONDS = 5.0, 0.01
VERSION_MAX = 2**31 - 1
"""Of an event in its stream: as far as every store counts."""


class EventNotFound(NotFound):
    """The loan has no event of this version."""


class NotSealedYet(Unavailable):
    """The event is stored and its seal is not written yet: ask again."""


class SizeUnknown(InvalidArgument):
    """The log has no signed checkpoint of this size, or has not grown to it."""


class NotCosigned(NotFound):
    """No witness has cosigned a checkpoint of this log."""


class Place(Protocol):
    """Which leaf an event is, and where it stands in the log."""

    number: int
    position: int


class Sealed(Protocol):
    """A signed checkpoint."""

    size: int
    note: str
    sealed_at_us: int


class Tree(Protocol):
    """The tree as it is kept."""

    async def checkpoint(self, size: int = 0) -> Sealed | None:
        """Return the checkpoint of a size, or the last one."""

    async def place(self, originator_id: str, version: int) -> Place | None:
        """Return the place of an event; None when it is not sealed."""

    async def sealed(self, originator_id: str, version: int) -> tuple[Place, Sealed] | None:
        """Return the place of an event and the last checkpoint; None when it is not sealed."""

    async def nodes(self, wanted: Sequence[Node]) -> dict[Node, bytes]:
        """Return the hashes of subtrees."""


class EventProof(NamedTuple):
    """A leaf, its number, and the hashes that lead from it to the checkpoint's root."""

    number: int
    leaf: bytes
    path: list[bytes]
    checkpoint: Sealed


@dataclass(slots=True)
class Prover:
    """Answers auditors from the log and its tree."""

    log: Log
    tree: Tree
    hurry: Callable[[], None]

    async def checkpoint(self, size: int = 0) -> Sealed:
        """
        Return the last signed checkpoint, or that of a size.

        Raises:
            SizeUnknown: there is none.
        """
        found = await self.tree.checkpoint(size)
        if found is None:
            raise SizeUnknown(f"no checkpoint of size {size}", field="size", expected="0 for last")
        return found

    async def event(
        self, loan_id: str, version: int, stream: str = "", size: int = 0
    ) -> EventProof:
        """
        Prove one event of a loan, or of another stream, under a checkpoint; 0: the last.

        Raises:
            EventNotFound: there is no such event, or not under that checkpoint.
            NotSealedYet: it was stored a moment ago; ask again.
            SizeUnknown: there is no such checkpoint.
        """
        name = stream or f"loan/{loan_id}"
        known = 1 <= version <= VERSION_MAX
        stored = await asyncio.to_thread(self.log.stored, name, version) if known else []
        if not stored:
            raise EventNotFound(f"{name} has no event {version}", field="version")
        place, sealed = await self._sealed(stored[0])
        if size:
            sealed = await self.checkpoint(size)
        if place.number >= sealed.size:
            raise EventNotFound(
                f"{name} has no event {version} under the checkpoint of {sealed.size}",
                field="checkpoint_size",
                expected=f"0 for last, or above {place.number}",
            )
        return await self._under(stored[0], place, sealed)

    async def _sealed(self, row: Logged) -> tuple[Place, Sealed]:
        """Return where a stored event is sealed, as soon as it is, and the last checkpoint."""
        until = monotonic() + SEALED_WITHIN_SECONDS
        while (found := await self.tree.sealed(row.originator_id, row.version)) is None:
            if monotonic() > until:
                raise NotSealedYet("the seal of the event is not written yet", field="version")
            self.hurry()
            await asyncio.sleep(LOOK_SECONDS)
        return found

    async def covering(self, loan_id: str) -> Sealed:
        """
        Return the last checkpoint, once it covers everything that is stored of a loan.

        Raises:
            EventNotFound: there is no such loan.
            NotSealedYet: its last event was stored a moment ago; ask again.
        """
        stored = await asyncio.to_thread(self.log.stored, f"loan/{loan_id}")
        if not stored:
            raise EventNotFound(f"loan {loan_id} has no event", field="loan_id")
        _, covering = await self._sealed(stored[-1])
        return covering

    async def loan(self, loan_id: str, size: int = 0) -> list[EventProof]:
        """
        Prove every event of a loan that a checkpoint covers, oldest first.

        Raises:
            EventNotFound: it covers none.
            NotSealedYet: with size 0, the last event is not sealed yet; ask again.
            SizeUnknown: there is no such checkpoint.
        """
        sealed = await (self.checkpoint(size) if size else self.covering(loan_id))
        found = []
        for row in await asyncio.to_thread(self.log.stored, f"loan/{loan_id}"):
            place = await self.tree.place(row.originator_id, row.version)
            if place is None or place.number >= sealed.size:
                break
            found.append(await self._under(row, place, sealed))
        if not found:
            raise EventNotFound(
                f"loan {loan_id} has no event under the checkpoint of {sealed.size}",
                field="loan_id",
            )
        return found

    async def stream(self, name: str, before: int, sealed: Sealed) -> list[EventProof]:
        """Prove the events of a stream whose leaves come before a number, under a checkpoint."""
        found = []
        for row in await asyncio.to_thread(self.log.stored, name):
            place = await self.tree.place(row.originator_id, row.version)
            if place is None or place.number >= before:
                break
            found.append(await self._under(row, place, sealed))
        return found

    async def _under(self, row: Logged, place: Place, sealed: Sealed) -> EventProof:
        path = await self._proof(lambda get: merkle.inclusion(place.number, sealed.size, get))
        leaf = leaf_of(row._replace(position=place.position))
        return EventProof(place.number, leaf, path, sealed)

    async def consistency(self, first: int, second: int) -> list[bytes]:
        """
        Prove that the log of the second size begins with the log of the first.

        Raises:
            SizeUnknown: the sizes are not in order, or the log has not grown so far.
        """
        last = await self.checkpoint()
        if not 0 <= first <= second <= last.size:
            raise SizeUnknown(
                f"{first} and {second} of {last.size}",
                field="second_size",
                expected=f"0 to first_size to second_size to {last.size}",
            )
        return await self._proof(lambda get: merkle.consistency(first, second, get))

    async def _proof(self, ask: Callable[[merkle.Get], list[bytes]]) -> list[bytes]:
        nodes = await self.tree.nodes(merkle.needed(ask))
        return ask(nodes.__getitem__)
