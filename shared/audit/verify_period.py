"""What must hold in an evidence pack about the whole book in a period."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Any

from shared.audit.merkle import EMPTY, Node, consistent, grown, leaf_hash, root
from shared.audit.notes import Checkpoint
from shared.audit.packing import PackInvalid
from shared.audit.steps import Files, Step, checkpoint_by, read_leaf
from shared.audit.verify_approvals import FOUR_EYES, held_approvals, proven_before
from shared.audit.verify_books import Leaf, books_steps, same, table

DAY = "BusinessDateAdvanced"
SAMPLE_MAX = 1_000_000


def period_steps(files: Files, end: Checkpoint, keys: list[str]) -> Iterator[Step]:
    """
    Check that nothing is missing in the period, and that the books follow from its events.

    Raises:
        PackInvalid: with the first thing that does not hold.
    """
    period = json.loads(files["period.json"])
    start = Checkpoint(end.origin, 0, EMPTY)
    if period["start_size"]:
        start = checkpoint_by(files, "checkpoint-before.txt", keys)
    for name in ("since", "until"):
        if date.fromisoformat(period[name]).isoformat() != period[name]:
            raise PackInvalid(f"period.json: {name} is no date")
    if (period["start_size"], period["end_size"]) != (start.size, end.size):
        raise PackInvalid("period.json: its sizes are not those of the checkpoints")
    leaves = _sealed(files, start, end)
    yield Step(f"events {start.size} to {end.size} are all of the signed log", len(leaves))
    yield Step("consistency proofs of checkpoints", _consistent(files, start, end, keys))
    inside = _inside(period, leaves)
    yield Step(f"events of {period['since']} to {period['until']}", len(inside))
    yield Step("versions of streams without a gap", _versions(leaves))
    before = proven_before(files, start.size, end)
    earlier = {leaf.number for leaf in leaves} - {leaf.number for leaf in inside}
    yield Step(FOUR_EYES, held_approvals([*before, *leaves], earlier))
    yield from books_steps(files, period, inside, leaves)
    yield Step("the population is counted", _population(period, inside))
    yield Step(f"the sample is what {_seed(period, end)} draws", _sample(period, files, inside))


def _sealed(files: Files, start: Checkpoint, end: Checkpoint) -> list[Leaf]:
    """The tree of the first checkpoint, grown by these events alone, has the root of the second."""
    edge = {(k, n): base64.b64decode(h) for k, n, h in json.loads(files["edge.json"])}
    if _root(start.size, edge) != start.root:
        raise PackInvalid("edge.json: it is not the edge of the first checkpoint's tree")
    rows = files["events.jsonl"].splitlines()
    texts = []
    for number, row in enumerate(rows, start=start.size):
        said = json.loads(row)
        if said["number"] != number:
            raise PackInvalid(f"events.jsonl line {len(texts) + 1}: not event {number}")
        texts.append(said["leaf"])
    fresh = dict(grown(start.size, (leaf_hash(t.encode()) for t in texts), edge.__getitem__))
    if start.size + len(texts) != end.size or _root(end.size, {**edge, **fresh}) != end.root:
        raise PackInvalid("events.jsonl: these are not the events that the last checkpoint covers")
    return [Leaf(n, *read_leaf(text)) for n, text in enumerate(texts, start=start.size)]


def _root(size: int, known: dict[Node, bytes]) -> bytes:
    return root(size, known.__getitem__)


def _consistent(files: Files, start: Checkpoint, end: Checkpoint, keys: list[str]) -> int:
    """Each log is the beginning of the later: of the last pack, at the start, at the end."""
    seen = [start, end]
    if "checkpoint-last-pack.txt" in files:
        seen.append(checkpoint_by(files, "checkpoint-last-pack.txt", keys))
    seen.sort(key=lambda one: one.size)
    proofs = json.loads(files["consistency.json"])
    if [(p["first"], p["second"]) for p in proofs] != [
        (one.size, other.size) for one, other in pairwise(seen)
    ]:
        raise PackInvalid("consistency.json: not one proof from each checkpoint to the next")
    for proof, (one, other) in zip(proofs, pairwise(seen), strict=True):
        path = [base64.b64decode(step, validate=True) for step in proof["path"]]
        if not consistent(one.size, other.size, one.root, other.root, path):
            raise PackInvalid(f"the log of {one.size} is not the beginning of that of {other.size}")
    return len(proofs)


def _inside(period: dict[str, Any], leaves: list[Leaf]) -> list[Leaf]:
    """Business dates say where the period begins and ends; nothing else of the log is in it."""
    days = [leaf for leaf in leaves if leaf.head[3].endswith(f".{DAY}")]
    first = next((d.number for d in days if d.said["on"] >= period["since"]), None)
    last = next((d.number for d in days if d.said["on"] > period["until"]), None)
    if (first, last) != (period["first_leaf"], period["end_leaf"]) or first is None:
        raise PackInvalid("period.json: its events are not those of its business dates")
    if period["start_size"] and not any(d.number < first for d in days):
        raise PackInvalid("period.json: the business day before the period is not shown")
    return [leaf for leaf in leaves if first <= leaf.number < period["end_leaf"]]


def _versions(leaves: list[Leaf]) -> int:
    versions: dict[str, int] = {}
    for leaf in leaves:
        _, stream, version, _ = leaf.head
        if version != versions.get(stream, version - 1) + 1:
            raise PackInvalid(f"event {leaf.number}: {stream} goes on with version {version}")
        versions[stream] = version
    return len(versions)


def _population(period: dict[str, Any], inside: list[Leaf]) -> int:
    facts = [leaf for leaf in inside if leaf.head[1].startswith("loan/")]
    debits = sum(amount for leaf in facts for _, amount in leaf.postings if amount > 0)
    found = {
        "loans": len({leaf.head[1] for leaf in facts}),
        "entries": len(facts),
        "debits_minor": debits,
    }
    said = {name: period["population"][name] for name in found}
    if found != said:
        raise PackInvalid(f"period.json: the population is {found}, not {said}")
    return len(facts)


def sample_seed(root: bytes, nonce: str) -> str:
    """Return the seed of a sample: a checkpoint's root, and an auditor's nonce if there is one."""
    return " ".join(word for word in (base64.b64encode(root).decode(), nonce) if word)


def _seed(period: dict[str, Any], end: Checkpoint) -> str:
    """What the seed is made of, in words; packs from before nonces state one outright."""
    if "nonce" not in period:
        return "the seed as stated"
    nonce = period["nonce"]
    if not isinstance(nonce, str) or period["seed"] != sample_seed(end.root, nonce):
        raise PackInvalid("period.json: the sample's seed is not the last root and the nonce")
    return f"the last root with nonce {nonce!r}" if nonce else "a seed known to the keeper"


def _sample(period: dict[str, Any], files: Files, inside: list[Leaf]) -> int:
    """The entries that move money whose hash with the seed is least."""
    places = [
        (leaf.head[1].removeprefix("loan/"), leaf.head[2])
        for leaf in inside
        if leaf.head[1].startswith("loan/") and leaf.postings
    ]
    seed = period["seed"]
    if not 0 <= period["sample_size"] <= SAMPLE_MAX:
        raise PackInvalid("period.json: the sample has no size")
    places.sort(key=lambda p: hashlib.sha256(f"{seed}\n{p[0]}\n{p[1]}".encode()).digest())
    wanted = [(loan, str(version)) for loan, version in places[: period["sample_size"]]]
    found = [(row["loan_id"], row["version"]) for row in table(files, "sample.csv")]
    same("sample.csv", found, wanted)
    return len(found)
