"""Ask witnesses to cosign: whoever rewrites the log must then make them forget, too."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import structlog

from services.ledger.application.key_rotation import rotations
from services.ledger.application.proving import Prover
from shared.audit.checkpoints import verified
from shared.audit.cosignatures import read_cosignature
from shared.audit.notes import CheckpointInvalid, signatures

ASK_SECONDS = 5.0


class WitnessKnown(NamedTuple):
    """A witness as the ledger is told of it: where it listens, and its verifier key."""

    url: str
    verifier: str

    @property
    def name(self) -> str:
        """Its name in cosignatures."""
        return self.verifier.partition("+")[0]


class Cosignatures(Protocol):
    """Where cosignatures are kept."""

    async def cosigned(self, witness: str) -> int:
        """Return the size of the last checkpoint that a witness has cosigned; 0 for none."""

    async def cosign(self, size: int, witness: str, line: str) -> None:
        """Keep the line by which a witness cosigned a checkpoint."""


Post = Callable[[str, str, bytes], Awaitable[tuple[int, str]]]
"""Sends a body to a witness, for what it is to do; returns status and text, 0 when none answers."""

UNSIGNED = 403
"""A witness says that no key that it knows signed a checkpoint."""


@dataclass(slots=True)
class Witnessing:
    """Brings each new checkpoint to the witnesses, each from where it stands."""

    prover: Prover
    kept: Cosignatures
    witnesses: Sequence[WitnessKnown]
    post: Post
    seen: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """Ask every few seconds until told to stop."""
        while self.witnesses and not stop.is_set():
            await self.step()
            try:
                await asyncio.wait_for(stop.wait(), ASK_SECONDS)
            except TimeoutError:
                continue

    async def step(self) -> int:
        """Ask every witness that has not seen the last checkpoint; return how many cosigned."""
        last = await self.prover.tree.checkpoint()
        if last is None:
            return 0
        return sum([await self._ask(one, last.size, last.note) for one in self.witnesses])

    async def _ask(self, witness: WitnessKnown, size: int, note: str) -> bool:
        name = witness.name
        kept = await self.kept.cosigned(name)
        if kept == size:
            return False
        self.seen.setdefault(name, kept)
        for tried in range(3):
            old = self.seen[name]
            if old > size:
                return self._refuse(name, f"it has seen {old} events, the log has {size}")
            path = await self.prover.consistency(old, size) if old else []
            lines = [f"old {old}", *(base64.b64encode(step).decode() for step in path)]
            body = "\n".join([*lines, "", note]).encode()
            status, text = await self.post(witness.url, "add-checkpoint", body)
            if status == 200:
                return await self._keep(witness, size, note, text)
            if status == UNSIGNED and not tried and await self._rotated(witness):
                continue
            if status != 409 or not text.strip().isdigit() or int(text) == old:
                return self._refuse(name, f"{status} {text.strip()}")
            self.seen[name] = int(text)
        return False

    async def _rotated(self, witness: WitnessKnown) -> bool:
        """Tell a witness of every change of the log's key, oldest first; return if it took one."""
        changes = await asyncio.to_thread(rotations, self.prover.log)
        bodies = [event.statement.encode() for event in changes]
        told = [await self.post(witness.url, "add-rotation", body) for body in bodies]
        return any(status == 200 for status, _ in told)

    async def _keep(self, witness: WitnessKnown, size: int, note: str, line: str) -> bool:
        """Keep a cosignature that is one; a witness cannot make us show anything else."""
        try:
            read_cosignature(f"{signatures(note)[0]}\n{line}", witness.verifier, verified)
        except CheckpointInvalid as failure:
            return self._refuse(witness.name, str(failure))
        await self.kept.cosign(size, witness.name, line)
        self.seen[witness.name] = size
        self.refused.pop(witness.name, None)
        return True

    def _refuse(self, name: str, why: str) -> bool:
        """Say once, loudly, that a witness does not cosign: it may know another history."""
        if self.refused.get(name) != why:
            structlog.get_logger().error("a witness does not cosign", witness=name, why=why)
        self.refused[name] = why
        return False
