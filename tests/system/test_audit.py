"""An auditor at a running ledger: with buf curl, on SQLite and PostgreSQL."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from pathlib import Path

from shared.audit.checkpoints import read_checkpoint
from shared.audit.merkle import consistent
from tests.system.processes import ROOT, CallRefused
from tests.system.test_ledger_process import LEDGER, tell

SERVICE = "lending.ledger.v1.LedgerAuditService"


def test_an_event_is_proven_to_a_stranger(desk, tmp_path: Path) -> None:
    """A proof is checked by a program of its own; one changed byte, and it is not proven."""
    tell(desk)
    proof = desk.ledger.call(f"{SERVICE}/ProveEvent", loanId="L-1", version=2)
    verifier = proof["checkpoint"]["verifier"]
    old = read_checkpoint(proof["checkpoint"]["note"], verifier)

    assert check(proof, verifier, tmp_path).returncode == 0
    assert "LoanDisbursed" in check(proof, verifier, tmp_path).stdout
    leaf = bytearray(base64.b64decode(proof["leaf"]))
    leaf[-5] ^= 1
    forged = {**proof, "leaf": base64.b64encode(leaf).decode()}
    assert check(forged, verifier, tmp_path).returncode == 1

    desk.ledger.kill()
    desk.ledger.start()
    desk.ledger.call(f"{LEDGER}/AdvanceBusinessDate", requestId="day-9", to="2026-05-01")
    later = read_checkpoint(grown_checkpoint(desk, old.size)["note"], verifier)
    asked = {"firstSize": old.size, "secondSize": later.size}
    grew = desk.ledger.call(f"{SERVICE}/ProveConsistency", **asked)
    path = [base64.b64decode(step) for step in grew.get("path", [])]
    assert later.size > old.size
    assert consistent(old.size, later.size, old.root, later.root, path)


def test_what_is_not_there_is_not_proven(desk) -> None:
    """The reason says what is missing."""
    for body, reason in (
        ({"loanId": "L-404", "version": 1}, "not_found"),
        ({"loanId": "", "version": 1}, "invalid_argument"),
    ):
        try:
            desk.ledger.call(f"{SERVICE}/ProveEvent", **body)
        except CallRefused as refused:
            assert refused.code == reason
        else:
            raise AssertionError(reason)


def grown_checkpoint(desk, size: int) -> dict:
    """Return the last checkpoint once the log has grown beyond a size."""
    until = time.monotonic() + 15
    while time.monotonic() < until:
        found = desk.ledger.call(f"{SERVICE}/GetCheckpoint")
        if int(found["size"]) > size:
            return found
        time.sleep(0.1)
    raise AssertionError(f"the log stays at {size}")


def check(proof: dict, verifier: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the checking program on a proof."""
    path = folder / "proof.json"
    path.write_text(json.dumps(proof))
    command = [sys.executable, "-m", "shared.audit.verify_proof", verifier, str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
