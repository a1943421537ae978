"""
Check an evidence pack without the ledger, without a network, with the standard library only.

    python3 -I evidence.zip [VERIFIER_KEY]             the pack checks itself
    python3 -m shared.audit.verify_pack evidence.zip [VERIFIER_KEY]

Take VERIFIER_KEY from a place that the ledger's keeper cannot write to, and the checking program
from one too: a pack that lies can bring a program that lies. Without a key that of the pack is
taken, and the answer says so. Exit code 0: everything holds; 1: it does not; 2: bad usage.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from shared.audit.evaluate import Disagrees, evaluate
from shared.audit.merkle import included, leaf_hash
from shared.audit.notes import Checkpoint, CheckpointInvalid, checkpoint_of, signed_text
from shared.audit.packing import MANIFEST, TITLE, PackInvalid, first_difference, unpacked
from shared.audit.payments import Unpaid, check_paid, money_of
from shared.audit.rotations import trusted_keys


class Step(NamedTuple):
    """One check that held."""

    name: str
    count: int


Files = dict[str, bytes]


def verify(pack: bytes, verifier: str) -> list[Step]:
    """
    Check every statement of a pack that can be checked from the pack and a key alone.

    Args:
        pack: The zip.
        verifier: The log's verifier key.
    Raises:
        PackInvalid: with the first thing that does not hold, and its position.
    """
    files = unpacked(pack)
    try:
        keys = trusted_keys(verifier, json.loads(files["rotations.json"]))
        steps = [_signed(files, keys), *_told(files, keys)]
    except (CheckpointInvalid, Disagrees, Unpaid) as failure:
        raise PackInvalid(str(failure)) from None
    except (KeyError, IndexError, TypeError, ValueError) as failure:
        raise PackInvalid(f"it cannot be read: {type(failure).__name__} {failure}") from None
    offset = first_difference(pack, files)
    if offset is not None:
        raise PackInvalid(f"byte {offset} is not as the files make it")
    return [*steps, Step("every byte of the zip follows from its files", len(pack))]


def _signed(files: Files, keys: list[str]) -> Step:
    """The manifest is signed, and every file has the hash that it states."""
    rows = _events(files)
    _checkpoint(files, keys)
    text = _by_any(files[MANIFEST].decode(), keys).split("\n")
    if text[0] != TITLE:
        raise PackInvalid(f"{MANIFEST} line 1: not {TITLE}")
    stated = {name: digest for digest, _, name in (line.partition("  ") for line in text[2:-1])}
    for name in sorted({*stated, *files} - {MANIFEST}):
        found = hashlib.sha256(files[name]).hexdigest() if name in files else "missing"
        if found != stated.get(name):
            _first_event(rows, files, keys)
            raise PackInvalid(f"{name} is not as it was signed")
    return Step("files as they were signed", len(stated))


def _told(files: Files, keys: list[str]) -> Iterator[Step]:
    """What the files say holds together, down to the signed root."""
    rows = _events(files)
    checkpoint = _checkpoint(files, keys)
    _first_event(rows, files, keys)
    yield Step(f"events under the signed root of {checkpoint.size}", len(rows))
    events = [_event(row, number) for number, row in enumerate(rows, start=1)]
    for number, (head, _) in enumerate(events, start=1):
        if head[2] != number or head[1] != events[0][0][1]:
            raise PackInvalid(f"events.jsonl line {number}: it is {head[1]} version {head[2]}")
    yield Step("versions from the first, without a gap", len(events))
    yield _journal(files, events)
    trees = json.loads(files["explanations.json"])
    loan = json.loads(files["loan.json"])
    money = money_of(events, loan["effective_on"])
    for tree in trees:
        evaluate(tree)
    yield Step("explanations recomputed from their leaves", len(trees))
    yield Step(
        "payments in them are what the events paid", sum(check_paid(t, money) for t in trees)
    )
    if f"loan/{loan['loan_id']}" != events[0][0][1] or int(loan["version"]) != len(events):
        raise PackInvalid("loan.json: it is not about the loan of these events")
    if sorted(tree["figure"] for tree in trees) != sorted(loan["figures"]):
        raise PackInvalid("loan.json: its figures are not those that are explained")
    stated = [int(loan["figures"][tree["figure"]]) for tree in trees]
    if stated != [int(tree["value"]) for tree in trees]:
        raise PackInvalid("loan.json: a figure is not the one that is explained")
    yield Step("figures are those that are explained", len(stated))


def _checkpoint(files: Files, keys: list[str]) -> Checkpoint:
    return checkpoint_of(_by_any(files["checkpoint.txt"].decode(), keys))


def _by_any(note: str, keys: list[str]) -> str:
    """Return the text of a note that one of the log's keys signed."""
    for key in keys[1:]:
        try:
            return signed_text(note, key)
        except CheckpointInvalid:
            continue
    return signed_text(note, keys[0])


def _events(files: Files) -> list[bytes]:
    return files["events.jsonl"].splitlines()


def _first_event(rows: list[bytes], files: Files, keys: list[str]) -> None:
    """Name the first event that is not under the signed root."""
    checkpoint = _checkpoint(files, keys)
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


def _event(line: bytes, number: int) -> tuple[list[Any], dict[str, Any]]:
    """Return an event's head [position, stream, version, topic], and what it says."""
    head, _, state = json.loads(line)["leaf"].partition("\n")
    return json.loads(head), json.loads(state)


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


def main(arguments: list[str], say: Callable[[str], None] = print) -> int:
    """Check a pack; print each check that held, or the first thing that does not."""
    if not 1 <= len(arguments) <= 2 or arguments[0] in ("-h", "--help"):
        say(__doc__ or "")
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    try:
        pack = Path(arguments[0]).read_bytes()
        own = len(arguments) == 1
        verifier = unpacked(pack)["verifier.txt"].decode() if own else arguments[1]
        steps = verify(pack, verifier)
    except OSError as failure:
        say(f"{arguments[0]}: {failure}")
        return 2
    except (PackInvalid, KeyError, UnicodeDecodeError) as failure:
        say(f"NOT PROVEN: {failure}")
        return 1
    for step in steps:
        say(f"holds: {step.name} ({step.count})")
    if own:
        say(f"the key is the pack's own; compare it with the one you know: {verifier.strip()}")
    say(f"PROVEN: sha256 {hashlib.sha256(pack).hexdigest()}")
    return 0


def main_of_pack() -> int:
    """Check the pack that this runs from, or another one that is named."""
    other = sys.argv[1:2] and sys.argv[1].endswith(".zip")
    return main(sys.argv[1:] if other else sys.argv)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
