"""Check what LedgerAuditService answered, with a key that you got elsewhere; needs no service."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from shared.audit.merkle import included, leaf_hash
from shared.audit.notes import CheckpointInvalid, read_checkpoint

USAGE = "usage: python -m shared.audit.verify_proof VERIFIER_KEY proof.json"


class ProofInvalid(Exception):
    """The proof does not show what it should."""


def verified(proof: dict[str, Any], verifier: str) -> dict[str, Any]:
    """
    Check the JSON of an EventProof, and return the event that it proves.

    Args:
        proof: As gRPC's JSON form has it: leafNumber, leaf, path, checkpoint.note.
        verifier: Verifier key: name, key id, and type with public key.
    Raises:
        ProofInvalid: the note is not signed by the key, or the leaf is not under its root.
    """
    try:
        checkpoint = read_checkpoint(proof["checkpoint"]["note"], verifier)
        leaf = base64.b64decode(proof["leaf"], validate=True)
        path = [base64.b64decode(step, validate=True) for step in proof.get("path", [])]
        number = int(proof.get("leafNumber", 0))
    except (KeyError, TypeError, ValueError) as failure:
        raise ProofInvalid(f"the proof cannot be read: {failure}") from None
    except CheckpointInvalid as failure:
        raise ProofInvalid(str(failure)) from None
    if not included(number, checkpoint.size, leaf_hash(leaf), path, checkpoint.root):
        raise ProofInvalid(f"leaf {number} is not under the signed root of {checkpoint.size}")
    head, _, state = leaf.partition(b"\n")
    position, stream, version, topic = json.loads(head)
    return {
        "position": position,
        "stream": stream,
        "version": version,
        "topic": topic,
        "event": json.loads(state),
    }


def main(arguments: list[str]) -> int:
    """Print the event that a proof proves; 1 when it proves nothing, 2 for bad usage."""
    if len(arguments) != 2:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        proof = json.loads(Path(arguments[1]).read_text("utf-8"))
        print(json.dumps(verified(proof, arguments[0]), ensure_ascii=False, indent=2))
    except (OSError, ValueError) as failure:
        print(f"{arguments[1]}: {failure}", file=sys.stderr)
        return 2
    except ProofInvalid as failure:
        print(f"NOT PROVEN: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
