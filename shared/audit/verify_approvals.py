"""What needed a second person, by the rules that the log states, was approved before."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Sequence

from shared.audit.approvals import METHODS, RULE, ApprovalCheck
from shared.audit.merkle import included, leaf_hash
from shared.audit.notes import Checkpoint
from shared.audit.packing import PackInvalid
from shared.audit.steps import Files, read_leaf
from shared.audit.verify_books import Leaf

FOUR_EYES = "what needs four eyes was approved before"


def proven_before(files: Files, before: int, end: Checkpoint) -> list[Leaf]:
    """
    Return rules, approvals and answers that a pack proves one by one, in the order of the log.

    Raises:
        PackInvalid: one is not under the signed root, or not before a number.
    """
    if "approvals.json" not in files:
        raise PackInvalid(
            "approvals.json is not there; a pack from before it was has its own verify.py"
        )
    found = []
    for line, row in enumerate(json.loads(files["approvals.json"]), start=1):
        path = [base64.b64decode(step, validate=True) for step in row["path"]]
        digest = leaf_hash(row["leaf"].encode())
        held = included(row["number"], end.size, digest, path, end.root)
        if not held or row["number"] >= before:
            raise PackInvalid(f"approvals.json entry {line}: not under the signed root")
        found.append(Leaf(row["number"], *read_leaf(row["leaf"])))
    return sorted(found, key=lambda leaf: leaf.number)


def held_approvals(leaves: Sequence[Leaf], passed_by: Collection[int] = ()) -> int:
    """
    Hold each change against the rule of its time, and the words given on it; return how many.

    Args:
        leaves: Changes, rules from the first, approvals and answers, in the order of the log.
        passed_by: Numbers of changes that are not held.
    Raises:
        PackInvalid: a rule is left out, or a change was not approved before.
    """
    rules = [leaf.head[2] for leaf in leaves if leaf.head[1] == RULE]
    if rules != list(range(1, len(rules) + 1)):
        raise PackInvalid("approvals.json: a change of the rule is left out")
    check = ApprovalCheck()
    for leaf in leaves:
        if leaf.name not in METHODS or leaf.number not in passed_by:
            check.take(leaf.name, leaf.said, f"event {leaf.number}")
    check.finish()
    if check.wrong:
        raise PackInvalid(check.wrong[0])
    return check.held
