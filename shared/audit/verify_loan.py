"""What must hold in an evidence pack about one loan."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from shared.audit.evaluate import evaluate
from shared.audit.merkle import included, leaf_hash
from shared.audit.notes import Checkpoint
from shared.audit.packing import PackInvalid
from shared.audit.payments import check_paid, money_of
from shared.audit.steps import Files, Step, read_leaf
from shared.audit.verify_approvals import FOUR_EYES, held_approvals, proven_before
from shared.audit.verify_books import Leaf


def loan_steps(files: Files, checkpoint: Checkpoint, keys: list[str]) -> Iterator[Step]:
    """
    Check that what the files say holds together, down to the signed root.

    Raises:
        PackInvalid, Disagrees, Unpaid: with the first thing that does not hold.
    """
    rows = files["events.jsonl"].splitlines()
    _under_the_root(rows, checkpoint)
    yield Step(f"events under the signed root of {checkpoint.size}", len(rows))
    events = [read_leaf(json.loads(row)["leaf"]) for row in rows]
    for number, (head, _) in enumerate(events, start=1):
        if head[2] != number or head[1] != events[0][0][1]:
            raise PackInvalid(f"events.jsonl line {number}: it is {head[1]} version {head[2]}")
    yield Step("versions from the first, without a gap", len(events))
    yield _journal(files, events)
    numbers = [int(json.loads(row)["number"]) for row in rows]
    leaves = [Leaf(n, *event) for n, event in zip(numbers, events, strict=True)]
    said = [*leaves, *proven_before(files, checkpoint.size, checkpoint)]
    said.sort(key=lambda leaf: leaf.number)
    yield Step(FOUR_EYES, held_approvals(said))
    trees = json.loads(files["explanations.json"])
    loan = json.loads(files["loan.json"])
    money = money_of(events, loan["effective_on"])
    for tree in trees:
        evaluate(tree)
    yield Step("explanations recomputed from their leaves", len(trees))
    paid = sum(check_paid(tree, money) for tree in trees)
    yield Step("payments in them are what the events paid", paid)
    if f"loan/{loan['loan_id']}" != events[0][0][1] or int(loan["version"]) != len(events):
        raise PackInvalid("loan.json: it is not about the loan of these events")
    if sorted(tree["figure"] for tree in trees) != sorted(loan["figures"]):
        raise PackInvalid("loan.json: its figures are not those that are explained")
    stated = [int(loan["figures"][tree["figure"]]) for tree in trees]
    if stated != [int(tree["value"]) for tree in trees]:
        raise PackInvalid("loan.json: a figure is not the one that is explained")
    yield Step("figures are those that are explained", len(stated))


def _under_the_root(rows: list[bytes], checkpoint: Checkpoint) -> None:
    """Name the first event that is not under the signed root."""
    for number, line in enumerate(rows, start=1):
        try:
            row = json.loads(line)
            path = [base64.b64decode(step, validate=True) for step in row["path"]]
            leaf, at = leaf_hash(row["leaf"].encode()), int(row["number"])
            held = included(at, checkpoint.size, leaf, path, checkpoint.root)
        except (KeyError, TypeError, ValueError):
            held = False
        if not held:
            raise PackInvalid(f"events.jsonl line {number}: not under the signed root")


def _journal(files: Files, events: list[tuple[list[Any], dict[str, Any]]]) -> Step:
    """The journal is what the events post, and each event's lines sum to zero."""
    wanted = [
        [str(head[2]), event["effective_on"], account, str(amount)]
        for head, event in events
        for account, amount in event.get("postings", [])
    ]
    for head, event in events:
        if sum(amount for _, amount in event.get("postings", [])):
            raise PackInvalid(f"version {head[2]}: its postings do not sum to zero")
    table = list(csv.reader(io.StringIO(files["journal.csv"].decode())))[1:]
    for number, (row, due) in enumerate(zip(table, wanted, strict=False), start=2):
        if row != due:
            raise PackInvalid(f"journal.csv line {number}: {row}, the events say {due}")
    if len(table) != len(wanted):
        raise PackInvalid(f"journal.csv has {len(table)} lines, the events post {len(wanted)}")
    return Step("journal lines are what the events post", len(table))
