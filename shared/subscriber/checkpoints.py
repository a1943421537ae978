"""The ledger's signed checkpoints, held against each other: one history, and it only ever grew."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
from typing import NamedTuple, TypeAlias

import structlog
from lending.ledger.v1.audit_service_pb2 import ProveConsistencyRequest
from lending.ledger.v1.audit_service_pb2_grpc import LedgerAuditServiceStub
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.audit.checkpoints import read_checkpoint
from shared.audit.merkle import consistent
from shared.audit.notes import Checkpoint, CheckpointInvalid, checkpoint_of, parsed_key, signatures
from shared.kernel.errors import LendingError
from shared.runtime.reading import Message
from shared.subscriber.inbox_tables import CHECKPOINTS

LANE = "checkpoint"
"""Under this name, in place of a loan's, faults of checkpoints wait with their evidence."""

KEPT_MAX, SIZE_MAX = 1_000, 1 << 62
PROVE_SECONDS, QUIET_SECONDS = 2.0, 30.0
Prove: TypeAlias = Callable[[int, int], Awaitable[Sequence[bytes] | None]]
"""Asks for the proof that the log of the second size begins with that of the first."""


class CheckpointVerdict(StrEnum):
    """What a checkpoint is to somebody who knows others of the same log."""

    TAKEN = "CHECKPOINT"
    KNOWN = "duplicate"
    UNPROVEN = "CHECKPOINT_UNPROVEN"
    UNSIGNED = "CHECKPOINT_UNSIGNED"
    FORKED = "CHECKPOINT_FORKED"
    SHRUNK = "CHECKPOINT_SHRUNK"


FAULTS = (CheckpointVerdict.UNSIGNED, CheckpointVerdict.FORKED, CheckpointVerdict.SHRUNK)


class Kept(NamedTuple):
    """A checkpoint that was taken, and where it is in the stream; 0 in one made since."""

    size: int
    root: bytes
    stream_sequence: int


class Judged(NamedTuple):
    """What a checkpoint is, its size as it says, and why, in words."""

    verdict: CheckpointVerdict
    size: int
    detail: str = ""


class ProofWanted(Exception):
    """A checkpoint needs a proof that it does not carry: `ask` for it, and take it again."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"from the log of {first} to that of {second}")
        self.sizes = (first, second)


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """
    Holds every checkpoint of the stream against those before it.

    Nobody is asked within a transaction: a ledger that is slow to answer must not hold it open.

    Args:
        keys: Verifier keys of the ledger, from a place that you trust; of all its keys in time.
        prove: Asks the ledger for a proof that the message does not carry, as after a stream that
            was made again; without it, such a checkpoint is UNPROVEN until you trust it.
    """

    keys: tuple[str, ...]
    prove: Prove | None = None
    answers: dict[tuple[int, int], Sequence[bytes] | None] = field(default_factory=dict)

    @classmethod
    def of(cls, keys: str, prove: Prove | None = None) -> Checkpoints | None:
        """
        Return what holds checkpoints against keys, separated by commas; None without a key.

        Raises:
            CheckpointInvalid: one is no Ed25519 verifier key.
        """
        found = tuple(key.strip() for key in keys.split(",") if key.strip())
        for key in found:
            parsed_key(key)
        return cls(found, prove) if found else None

    async def take(self, connection: AsyncConnection, subscriber: str, message: Message) -> Judged:
        """
        Judge a checkpoint, and keep it where it holds, within the caller's transaction.

        Raises:
            ProofWanted: roll back, `ask`, and take it again.
        """
        try:
            said = self._read(message.body.decode())
        except (CheckpointInvalid, UnicodeDecodeError) as failure:
            return Judged(CheckpointVerdict.UNSIGNED, _size_in(message.body), str(failure))
        known = await _kept(connection, subscriber)
        judged = judge(known, said, message.sequence)
        if judged is None:
            judged = self._grown(max(known.values()), said, message.headers)
        if judged.verdict is CheckpointVerdict.TAKEN or said.size in known:
            await _keep(connection, subscriber, said, message)
        return judged

    def _read(self, note: str) -> Checkpoint:
        for key in self.keys:
            try:
                said = read_checkpoint(note, key)
            except CheckpointInvalid:
                continue
            if said.origin == parsed_key(key)[0]:
                return said
        raise CheckpointInvalid("no key of the ledger signed this")

    async def ask(self, wanted: ProofWanted) -> None:
        """Ask the ledger for a proof; nobody holds a transaction open meanwhile."""
        assert self.prove is not None, "nobody to ask"
        self.answers[wanted.sizes] = await self.prove(*wanted.sizes)

    def _grown(self, last: Kept, said: Checkpoint, headers: Mapping[str, str]) -> Judged:
        """Hold a larger checkpoint against the last one, by the proof that somebody shows."""
        proof = _proof_in(headers) if headers.get("ce-previoussize") == str(last.size) else None
        if proof is None or not _leads(last, said, proof):
            asked = self._asked(last.size, said.size)
            proof = asked if asked is not None else proof
        if proof is None:
            why = f"nothing shows that it grew from the one of {last.size}"
            return Judged(CheckpointVerdict.UNPROVEN, said.size, why)
        if not _leads(last, said, proof):
            why = f"it does not grow from the one of {last.size} with root {last.root.hex()}"
            return Judged(CheckpointVerdict.FORKED, said.size, why)
        return Judged(CheckpointVerdict.TAKEN, said.size)

    def _asked(self, first: int, second: int) -> Sequence[bytes] | None:
        if self.prove is None:
            return None
        if (first, second) not in self.answers:
            raise ProofWanted(first, second)
        return self.answers[first, second]


def judge(kept: Mapping[int, Kept], said: Checkpoint, at: int) -> Judged | None:
    """
    Say what a signed checkpoint is; None when it is larger, and has to be proven.

    Args:
        kept: Those taken before, by size.
        said: The one in question.
        at: Its stream sequence.
    """
    if not kept:
        return Judged(CheckpointVerdict.TAKEN, said.size)
    if said.size in kept:
        if kept[said.size].root == said.root:
            return Judged(CheckpointVerdict.KNOWN, said.size)
        why = f"of this size the root {kept[said.size].root.hex()} is known"
        return Judged(CheckpointVerdict.FORKED, said.size, why)
    last = max(kept.values())
    if said.size > last.size:
        return None
    before = [one.size for one in kept.values() if 0 < one.stream_sequence < at]
    if max(before, default=0) > said.size:
        why = f"behind one of {max(before)} in the same stream"
        return Judged(CheckpointVerdict.SHRUNK, said.size, why)
    return Judged(CheckpointVerdict.KNOWN, said.size)


@dataclass(slots=True)
class LedgerProofs:
    """
    Asks a ledger for proofs; None while it does not answer, and then for half a minute.

    A ledger that is away must not hold up each checkpoint of a backlog.
    """

    stub: LedgerAuditServiceStub
    asked_again_at: float = 0.0

    async def __call__(self, first: int, second: int) -> Sequence[bytes] | None:
        """Return the proof that the log of the second size begins with that of the first."""
        if monotonic() < self.asked_again_at:
            return None
        request = ProveConsistencyRequest(first_size=first, second_size=second)
        try:
            answer = await self.stub.ProveConsistency(request, timeout=PROVE_SECONDS)
        except LendingError as failure:
            self.asked_again_at = monotonic() + QUIET_SECONDS
            log = structlog.get_logger()
            log.warning("the ledger proves nothing", reason=failure.reason, failure=str(failure))
            return None
        return list(answer.path)


async def kept(connection: AsyncConnection, subscriber: str) -> list[Kept]:
    """Return the checkpoints that a subscriber holds others against, the smallest first."""
    return sorted((await _kept(connection, subscriber)).values())


async def forget_stream(connection: AsyncConnection, subscriber: str) -> None:
    """Note that the stream was made again: places in it mean nothing any more."""
    mine = update(CHECKPOINTS).where(CHECKPOINTS.c.subscriber == subscriber)
    await connection.execute(mine.values(stream_sequence=0))


async def forget(connection: AsyncConnection, subscriber: str, size: int = 0) -> int:
    """
    Forget every checkpoint, or that of one size; return how many.

    Where none is left the next one is taken as the first.
    """
    gone = delete(CHECKPOINTS).where(CHECKPOINTS.c.subscriber == subscriber)
    gone = gone.where(CHECKPOINTS.c.size == size) if size else gone
    return (await connection.execute(gone)).rowcount


async def _kept(connection: AsyncConnection, subscriber: str) -> dict[int, Kept]:
    rows = CHECKPOINTS.c
    query = select(rows.size, rows.root, rows.stream_sequence)
    query = query.where(rows.subscriber == subscriber).order_by(rows.size.desc()).limit(KEPT_MAX)
    found = await connection.execute(query)
    return {size: Kept(size, bytes(root), at) for size, root, at in found}


async def _keep(
    connection: AsyncConnection, subscriber: str, said: Checkpoint, message: Message
) -> None:
    rows, mine = CHECKPOINTS.c, CHECKPOINTS.c.subscriber == subscriber
    known = select(rows.root).where(mine, rows.size == said.size)
    if (await connection.execute(known)).first() is not None:
        place = update(CHECKPOINTS).where(mine, rows.size == said.size, rows.root == said.root)
        await connection.execute(place.values(stream_sequence=message.sequence))
        return
    row = {"subscriber": subscriber, "size": said.size, "root": said.root}
    row |= {"note": message.body, "stream_sequence": message.sequence}
    await connection.execute(insert(CHECKPOINTS), row)
    oldest = select(rows.size).where(mine).order_by(rows.size.desc()).offset(KEPT_MAX).limit(1)
    if (size := (await connection.execute(oldest)).scalar()) is not None:
        await connection.execute(delete(CHECKPOINTS).where(mine, rows.size <= size))


def _leads(last: Kept, said: Checkpoint, proof: Sequence[bytes]) -> bool:
    return consistent(last.size, said.size, last.root, said.root, list(proof))


def _proof_in(headers: Mapping[str, str]) -> list[bytes] | None:
    """Return the hashes that a message carries; None where they cannot be read."""
    try:
        return [base64.b64decode(one, validate=True) for one in headers["ce-consistency"].split()]
    except (KeyError, ValueError):
        return None


def _size_in(body: bytes) -> int:
    """Return the size that an unsigned note states, to tell it from others; 0 for none."""
    try:
        size = checkpoint_of(signatures(body.decode())[0]).size
    except (CheckpointInvalid, UnicodeDecodeError):
        return 0
    return size if size < SIZE_MAX else 0
