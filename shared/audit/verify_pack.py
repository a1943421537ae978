"""
Check an evidence pack without the ledger, without a network, with the standard library only.

    python3 -I verify.py evidence.zip [VERIFIER_KEY]
    python3 -I evidence.zip [VERIFIER_KEY]             the pack checks itself

Take VERIFIER_KEY from a place that the ledger's keeper cannot write to, and the checking program
from one too: a pack that lies can bring a program that lies. Without a key that of the pack is
taken, and the answer says so. Exit code 0: everything holds; 1: it does not, and the first thing
that does not is named with its place; 2: bad usage.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from shared.audit.evaluate import Disagrees
from shared.audit.locating import damage, place
from shared.audit.notes import CheckpointInvalid, signatures
from shared.audit.packing import (
    LOAN_TITLE,
    MANIFEST,
    PERIOD_TITLE,
    PackInvalid,
    manifest_of,
    unpacked,
)
from shared.audit.payments import Unpaid
from shared.audit.rotations import trusted_keys
from shared.audit.steps import Files, Step, checkpoint_by, signed_by_any
from shared.audit.verify_loan import loan_steps
from shared.audit.verify_period import period_steps

CHECKS = {LOAN_TITLE: loan_steps, PERIOD_TITLE: period_steps}
_UNREADABLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What reading a file that somebody made up can end in."""

STATED = {
    LOAN_TITLE: "schedule.csv past_due.csv timeline.csv story.txt page.html",
    PERIOD_TITLE: "entry-tests.csv report.html events.parquet; of loans-before.csv and"
    " loans-after.csv all but the principal on the books",
}
"""What the log's keeper signs, and this program does not recompute."""


def verify(pack: bytes, verifier: str) -> list[Step]:
    """
    Check every statement of a pack that can be checked from the pack and a key alone.

    Args:
        pack: The zip.
        verifier: The log's verifier key.
    Raises:
        PackInvalid: with the first thing that does not hold, and its position.
    """
    damaged = damage(pack)
    if damaged is not None:
        raise PackInvalid(damaged)
    files = unpacked(pack)
    try:
        keys = trusted_keys(verifier, json.loads(files["rotations.json"]))
        title = _signed(files, keys)
        checkpoint = checkpoint_by(files, "checkpoint.txt", keys)
        steps = list(CHECKS[title](files, checkpoint, keys))
    except (CheckpointInvalid, Disagrees, Unpaid) as failure:
        raise PackInvalid(str(failure)) from None
    except _UNREADABLE as failure:
        raise PackInvalid(f"it cannot be read: {type(failure).__name__} {failure}") from None
    whole = Step("every byte of the zip follows from its signed files", len(pack))
    return [whole, Step("files as they were signed", len(files) - 1), *steps]


def _signed(files: Files, keys: list[str]) -> str:
    """Return the title of the manifest, which one of the log's keys signed."""
    note = files[MANIFEST].decode()
    try:
        title = signed_by_any(note, keys).split("\n", 1)[0]
    except CheckpointInvalid as failure:
        at = len(note.rpartition("\n\n")[0].encode()) + 2
        raise PackInvalid(f"{failure}: {place(files, MANIFEST, at)}") from None
    if title not in CHECKS:
        raise PackInvalid(f"{MANIFEST} line 1: not {' or '.join(CHECKS)}")
    text, signed = signatures(note)
    rest = {name: data for name, data in files.items() if name != MANIFEST}
    checkpoint = signatures(files["checkpoint.txt"].decode())[0]
    if text != manifest_of(rest, checkpoint, title) or len(signed) != 1:
        raise PackInvalid(f"{MANIFEST}: not the manifest of these files, signed once")
    return title


def main(arguments: list[str], say: Callable[[str], None] = print) -> int:
    """Check a pack; print each check that held, or the first thing that does not."""
    if not 1 <= len(arguments) <= 2 or arguments[0] in ("-h", "--help"):
        say(__doc__ or "")
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    try:
        pack = Path(arguments[0]).read_bytes()
        own = len(arguments) == 1
        damaged = damage(pack)
        if damaged is not None:
            raise PackInvalid(damaged)
        verifier = unpacked(pack)["verifier.txt"].decode() if own else arguments[1]
        steps = verify(pack, verifier)
    except OSError as failure:
        say(f"{arguments[0]}: {failure}")
        return 2
    except (PackInvalid, *_UNREADABLE) as failure:
        say(f"NOT PROVEN: {_shown(str(failure))}")
        return 1
    for step in steps:
        say(f"holds: {_shown(step.name)} ({step.count})")
    say(f"signed and not recomputed: {STATED[_title(pack)]}")
    if own:
        key = _shown(verifier.strip())
        say(f"the key is the pack's own; compare it with the one you know: {key}")
    say(f"PROVEN: sha256 {hashlib.sha256(pack).hexdigest()}")
    return 0


def _title(pack: bytes) -> str:
    return unpacked(pack)[MANIFEST].decode().split("\n", 1)[0]


def _shown(text: str) -> str:
    """Return a text of a pack on one line, in ASCII: it cannot print a verdict of its own."""
    return "".join(c if " " <= c <= "~" else ascii(c)[1:-1] for c in text)


def main_of_pack() -> int:
    """Check the pack that this runs from, or another one that is named."""
    other = sys.argv[1:2] and sys.argv[1].endswith(".zip")
    return main(sys.argv[1:] if other else sys.argv)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
