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
from shared.audit.notes import CheckpointInvalid
from shared.audit.packing import LOAN_TITLE, MANIFEST, PERIOD_TITLE, PackInvalid, unpacked
from shared.audit.payments import Unpaid
from shared.audit.rotations import trusted_keys
from shared.audit.steps import Files, Step, checkpoint_by, signed_by_any
from shared.audit.verify_loan import loan_steps
from shared.audit.verify_period import period_steps

CHECKS = {LOAN_TITLE: loan_steps, PERIOD_TITLE: period_steps}


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
    except (KeyError, IndexError, TypeError, ValueError) as failure:
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
