"""What must hold in an evidence pack about the whole book in a period."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from shared.audit.merkle import EMPTY, Node, consistent, grown, leaf_hash, root
from shared.audit.notes import Checkpoint
from shared.audit.packing import PackInvalid
from shared.audit.steps import Files, Step, checkpoint_by, read_leaf

DAY = "BusinessDateAdvanced"
LINE = re.compile(r"\s+([A-Z][A-Za-z:-]+)\s+(-?[0-9.]+) [A-Z]{3}")
STATED = re.compile(r"(?: balance [^ ]+|=) +(-?[0-9.]+) (?:~ 0 )?[A-Z]{3}$")
POSITION = re.compile(r"position: ?([0-9]+)")


class Leaf(NamedTuple):
    """One sealed event: its number in the log, its head, and what it says."""

    number: int
    head: list[Any]
    said: dict[str, Any]

    @property
    def postings(self) -> list[list[Any]]:
        """Account and amount, debit above zero, minor units."""
        return self.said.get("postings", [])


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
    if (period["start_size"], period["end_size"]) != (start.size, end.size):
        raise PackInvalid("period.json: its sizes are not those of the checkpoints")
    leaves = _sealed(files, start, end)
    yield Step(f"events {start.size} to {end.size} are all of the signed log", len(leaves))
    yield Step("consistency proofs of checkpoints", _consistent(files, start, end, keys))
    inside = _inside(period, leaves)
    yield Step(f"events of {period['since']} to {period['until']}", len(inside))
    yield Step("versions of streams without a gap", _versions(leaves))
    yield Step("journal entries sum to zero", _balanced(inside))
    yield Step("lines of GL_Detail are what the events post", _detail(period, files, inside))
    yield Step("balances lead from the first to the last", _balances(period, files, inside))
    for name in ("journal.hledger", "journal.beancount"):
        yield Step(
            f"postings of {name} are those of the events", _journal(name, period, files, inside)
        )
    yield Step("the population is counted", _population(period, inside))
    yield Step("the sample is what the seed draws", _sample(period, files, inside))


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


def _balanced(inside: list[Leaf]) -> int:
    for leaf in inside:
        if sum(amount for _, amount in leaf.postings):
            raise PackInvalid(f"event {leaf.number}: its postings do not sum to zero")
    return sum(1 for leaf in inside if leaf.postings)


def _detail(period: dict[str, Any], files: Files, inside: list[Leaf]) -> int:
    wanted = [
        (str(leaf.head[0]), str(k), _date(leaf), account, abs(amount), "D" if amount > 0 else "C")
        for leaf in inside
        for k, (account, amount) in enumerate(leaf.postings, start=1)
    ]
    name = period["gl_detail"]
    found = [
        (
            row["Journal_ID"],
            row["Journal_ID_Line_Number"],
            row["Effective_Date"],
            row["GL_Account_Number"],
            _minor(row["Amount"]),
            row["Amount_Credit_Debit_Indicator"],
        )
        for row in _table(files, name)
    ]
    _same(name, found, wanted)
    return len(found)


def _date(leaf: Leaf) -> str:
    return str(leaf.said.get("effective_on") or leaf.said["on"])


def _balances(period: dict[str, Any], files: Files, inside: list[Leaf]) -> int:
    """Beginning and movement give the ending balance; each column is zero over all accounts."""
    moved: Counter[tuple[str, str]] = Counter()
    for row in _table(files, period["gl_detail"]):
        sign = 1 if row["Amount_Credit_Debit_Indicator"] == "D" else -1
        moved[row["GL_Account_Number"], row["Amount_Currency"]] += sign * _minor(row["Amount"])
    begun: Counter[str] = Counter()
    rows = _table(files, period["trial_balance"])
    for number, row in enumerate(rows, start=2):
        beginning, ending = _minor(row["Amount_Beginning"]), _minor(row["Amount_Ending"])
        by = moved.pop((row["GL_Account_Number"], row["Amount_Currency"]), 0)
        begun[row["Amount_Currency"]] += beginning
        if beginning + by != ending:
            raise PackInvalid(f"{period['trial_balance']} line {number}: it moved by {by}")
    if any(begun.values()) or any(moved.values()):
        raise PackInvalid(f"{period['trial_balance']}: it does not sum to zero")
    return len(rows)


def _journal(name: str, period: dict[str, Any], files: Files, inside: list[Leaf]) -> int:
    """Postings with a position are the events'; those without, and assertions, the balances'."""
    found: list[tuple[int, str, int]] = []
    stated: list[int] = []
    position = 0
    for line in files[name].decode().split("\n"):
        at, posting, balance = POSITION.search(line), LINE.fullmatch(line), STATED.search(line)
        if at:
            position = int(at[1])
        elif posting:
            found.append((position, posting[1], _minor(posting[2])))
        elif balance:
            stated.append(_minor(balance[1]))
    wanted = [(leaf.head[0], a, m) for leaf in inside for a, m in leaf.postings]
    posted = [row for row in found if row[0]]
    _same(name, [(p, m) for p, _, m in posted], [(p, m) for p, _, m in wanted])
    names = {(ours, theirs) for (_, ours, _), (_, theirs, _) in zip(wanted, posted, strict=True)}
    if len(names) != len(dict(names)) or len(names) != len({theirs for _, theirs in names}):
        raise PackInvalid(f"{name}: an account is not under one name")
    rows = _table(files, period["trial_balance"])
    begun, ended = ([_minor(row[side]) for row in rows] for side in _SIDES)
    opened = sorted(amount for at, _, amount in found if not at)
    _same(f"{name}, at the beginning", opened, sorted(amount for amount in begun if amount))
    _same(f"{name}, at the end", sorted(stated), sorted(ended))
    return len(posted)


_SIDES = ("Amount_Beginning", "Amount_Ending")


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


def _sample(period: dict[str, Any], files: Files, inside: list[Leaf]) -> int:
    """The entries that move money whose hash with the seed is least."""
    places = [
        (leaf.head[1].removeprefix("loan/"), leaf.head[2])
        for leaf in inside
        if leaf.head[1].startswith("loan/") and leaf.postings
    ]
    seed = period["seed"]
    places.sort(key=lambda p: hashlib.sha256(f"{seed}\n{p[0]}\n{p[1]}".encode()).digest())
    wanted = [(loan, str(version)) for loan, version in places[: period["sample_size"]]]
    found = [(row["loan_id"], row["version"]) for row in _table(files, "sample.csv")]
    _same("sample.csv", found, wanted)
    return len(found)


def _table(files: Files, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(files[name].decode())))


def _minor(amount: str) -> int:
    return int(amount.replace(".", ""))


def _same(name: str, found: Iterable[Any], wanted: Iterable[Any]) -> None:
    there, due = list(found), list(wanted)
    for number, (one, other) in enumerate(zip(there, due, strict=False), start=1):
        if one != other:
            raise PackInvalid(f"{name} row {number}: {one}, the events say {other}")
    if len(there) != len(due):
        raise PackInvalid(f"{name} has {len(there)} rows, the events say {len(due)}")
