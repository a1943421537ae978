"""Seal the log again from its first event, and hold it against every seal that anybody kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from services.ledger.application.inspecting import Written, pages
from services.ledger.application.late_seals import Explanations
from services.ledger.application.ports import Log, Logged
from services.ledger.application.proving import Sealed
from services.ledger.application.sealing import edge, leaf_of
from services.ledger.application.verifying import Verdict
from services.ledger.domain.book_events import LateSealExplained
from shared.audit.checkpoints import Checkpoint, CheckpointInvalid, read_checkpoint
from shared.audit.merkle import Node, grown, leaf_hash, node_hash, root

LATE_MAX = timedelta(hours=1)
"""How long a fact may wait between being recorded and being sealed, the ledger running."""


class Seen(Protocol):
    """The tree as it is kept, to be read whole."""

    async def all_checkpoints(self) -> Sequence[Sealed]:
        """Return every checkpoint, the smallest first."""

    async def hashes(self, level: int, first: int, last: int) -> Mapping[int, bytes]:
        """Return the hashes of one level, from one number to another, both included."""

    async def leaves(self) -> int:
        """Return how many leaves are kept."""


def read_signed(note: str, verifiers: Sequence[str]) -> Checkpoint:
    """
    Return what a note says that one of some keys signed.

    Raises:
        CheckpointInvalid: none of them signed it.
    """
    for verifier in verifiers[:-1]:
        try:
            return read_checkpoint(note, verifier)
        except CheckpointInvalid:
            continue
    return read_checkpoint(note, verifiers[-1])


@dataclass(slots=True)
class Resealing:
    """Recomputes roots over the log and compares them with signed ones."""

    tree: Seen
    written: Written
    verifiers: Sequence[str]
    leaves: int = 0
    size: int = 0
    edge: dict[Node, bytes] = field(default_factory=dict)
    roots: dict[int, bytes] = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    instants: list[tuple[int, datetime, str]] = field(default_factory=list)
    explanations: Explanations = field(default_factory=Explanations)

    async def run(self, log: Log, kept: Sequence[str]) -> list[Verdict]:
        """
        Compare the log with its seals.

        Args:
            log: Every event, as it is stored now.
            kept: Signed notes that were kept elsewhere, such as by an auditor.
        """
        sealed = await self.tree.all_checkpoints()
        sizes = {one.size for one in sealed}
        for note in kept:
            sizes.add(_size_of(note))
        self.leaves = leaves = await self.tree.leaves()
        for rows in pages(log):
            await self._page(rows, sizes)
        if leaves > self.size:
            self.differing.append(f"{leaves - self.size} sealed events are gone from the end")
        signed = [*self._signed([one.note for one in sealed])]
        if self.size and (not sealed or sealed[-1].size != leaves):
            signed.append(f"no checkpoint covers {leaves} leaves of {self.size} events")
        return [
            Verdict("events as sealed, one by one", self.size, self.differing),
            Verdict("the tree over the seals", self.size, self.torn),
            Verdict("checkpoints: signature and root", len(sealed), signed),
            Verdict("recorded when it was sealed", self.size, *self._backdated(sealed)),
            Verdict("log as it was kept elsewhere", len(kept), [*self._signed(kept)]),
        ]

    async def _page(self, rows: Sequence[Logged], sizes: set[int]) -> None:
        first, last = self.size, self.size + len(rows) - 1
        hashes = [leaf_hash(leaf_of(row)) for row in rows]
        stored = await self.tree.hashes(0, first, last)
        for number, (row, now) in enumerate(zip(rows, hashes, strict=True), start=first):
            if number < self.leaves and stored.get(number) != now:
                place = f"position {row.position}, {row.originator_id} version {row.version}"
                what = "another" if number in stored else "not there"
                self.differing.append(f"leaf {number} is {what}: {place}")
            self._instant(number, row)
        await self._inner(first, last)
        fresh = grown(first, hashes, self.edge.__getitem__)
        known = {**self.edge, **dict(fresh)}
        for size in sizes.intersection(range(first + 1, last + 2)):
            self.roots[size] = root(size, known.__getitem__)
        self.size = last + 1
        self.edge = {node: known[node] for node in edge(self.size)}

    def _instant(self, number: int, row: Logged) -> None:
        try:
            event: Any = self.written.decode(row.topic, row.state)
        except Exception:
            return
        self.explanations.take(number, event)
        at = getattr(event, "recorded_at", None)
        if at is not None:
            self.instants.append((number, at, row.originator_id))

    async def _inner(self, first: int, last: int) -> None:
        """Check that each kept subtree that ends here is the hash of its two halves."""
        lower = await self.tree.hashes(0, first - first % 2, last)
        level = 0
        while (first := first >> 1) <= (last := (last + 1 >> 1) - 1):
            level += 1
            above = await self.tree.hashes(level, first - first % 2, last)
            for number in range(first, last + 1):
                left, right = lower.get(2 * number), lower.get(2 * number + 1)
                whole = node_hash(left, right) if left and right else None
                sealed = (number + 1) << level <= self.leaves
                if above.get(number) != whole or (sealed and whole is None):
                    self.torn.append(f"subtree {number} of level {level}")
            lower = above

    def _signed(self, notes: Sequence[str]) -> Iterator[str]:
        for note in notes:
            try:
                said = read_signed(note, self.verifiers)
            except CheckpointInvalid as failure:
                yield f"checkpoint of {_size_of(note)}: {failure}"
                continue
            if said.size > self.size:
                yield f"checkpoint of {said.size}: the log has {self.size} events"
            elif said.size and self.roots.get(said.size) != said.root:
                yield f"checkpoint of {said.size}: the log has another root"

    def _backdated(self, sealed: Sequence[Sealed]) -> tuple[list[str], list[str]]:
        """Name, per checkpoint, the first event not recorded when it says; and those explained."""
        found: dict[int, str] = {}
        explained: dict[tuple[int, int], str] = {}
        k = 0
        for number, at, stream in self.instants:
            while k < len(sealed) and sealed[k].size <= number:
                k += 1
            if k == len(sealed):
                break
            then = _instant(sealed[k].sealed_at_us)
            if not then - LATE_MAX <= at <= then:
                said = f"leaf {number} of {stream} says {at.isoformat()}"
                said += f", sealed {then.isoformat()}"
                # A sealer that was down makes seals late; nothing makes them early.
                why = self.explanations.of(number) if at <= then else None
                if why is None:
                    found.setdefault(k, said)
                else:
                    explained.setdefault((k, why.first_leaf), f"{said}; {_because(why)}")
        return list(found.values()), list(explained.values())


def _because(why: LateSealExplained) -> str:
    second = f" and {why.approved_by}" if why.approved_by else ""
    span = f"leaves {why.first_leaf} to {why.end_leaf - 1}"
    return f"{span} explained by {why.explained_by}{second}: {why.reason}"


def _size_of(note: str) -> int:
    """Return the size that a note states, believed or not; 0 when it states none."""
    lines = note.split("\n")
    return int(lines[1]) if len(lines) > 1 and lines[1].isdigit() else 0


def _instant(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1e6, UTC)
