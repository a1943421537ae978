"""An auditor at a running ledger: with buf curl, on SQLite and PostgreSQL."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.ledger.entrypoints.cli import app
from shared.audit.checkpoints import Checkpoint, load_signer, read_checkpoint
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
    then = {"loanId": "L-1", "version": 2, "checkpointSize": old.size}
    assert desk.ledger.call(f"{SERVICE}/ProveEvent", **then) == proof
    with pytest.raises(CallRefused, match="no checkpoint of size"):
        desk.ledger.call(f"{SERVICE}/ProveEvent", **{**then, "checkpointSize": 10**6})


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


def test_evidence_is_taken_home(desk, tmp_path: Path) -> None:
    """By API and by command: the same bytes, checked by a Python that has nothing installed."""
    tell(desk)
    last = desk.ledger.call(f"{SERVICE}/ProveEvent", loanId="L-1", version=2)["checkpoint"]
    asked = {"loanId": "loans/L-1", "checkpointSize": last["size"]}
    pack = desk.ledger.call(f"{SERVICE}/ExportEvidence", **asked)
    path = tmp_path / "evidence.zip"

    written = audit(desk, "evidence", "L-1", "--output", str(path), "--size", last["size"])
    checked = subprocess.run(
        [sys.executable, "-I", "-S", str(path), last["verifier"]], capture_output=True, text=True
    )

    assert written.exit_code == 0, written.stderr
    assert path.read_bytes() == base64.b64decode(pack["pack"])
    assert pack["sha256"] in written.stdout
    assert checked.returncode == 0, checked.stdout
    _late_because(desk)
    without = audit(desk, "suppose", "L-1", "--without", "5", "--delinquency", "all-schemes/1")
    assert "no record of the ledger" in without.stdout, without.stderr
    _supposed(desk)
    _read_again(desk, pack["readId"])
    _only_grew(desk, tmp_path, last, last["verifier"])
    refused = audit(desk, "why", "L-404")
    assert refused.exit_code == 1
    assert "LOAN_NOT_FOUND" in refused.stderr


def _late_because(desk) -> None:
    """On a page and as a tree, by command and by API; what is told is recorded, and told again."""
    page = audit(desk, "why", "L-1").stdout
    assert "Why loan L-1 is 46 days past due on 2026-04-20" in page
    tree = json.loads(audit(desk, "why", "L-1", "--tree").stdout)
    asked = desk.ledger.call(f"{SERVICE}/ExplainLateness", loanId="L-1")
    assert tree["page"] == asked["page"] == page
    days = {one["month"]: one["days"] for one in asked["months"]}
    assert days == {"2026-03": 26, "2026-04": 20}
    late, arrears = asked["explanations"]
    assert (late["value"], late["from"], late["to"]) == ("46", "2026-03-05", "2026-04-20")
    assert int(arrears["value"]) == int(asked["pastDue"][-1]["carriedMinor"])
    assert [fact["event"] for fact in asked["facts"]][:2] == ["LoanOpened", "LoanDisbursed"]
    again = desk.ledger.call(f"{SERVICE}/RepeatRead", readId=asked["readId"])
    assert (again["same"], again["method"]) == (True, "ExplainLateness")


def _supposed(desk) -> None:
    """Other terms by command; by API the same terms, stated, change nothing; bad ones say why."""
    edges = "five_tier:0=NORMAL,1=SPECIAL_MENTION,40=SUBSTANDARD"
    found = audit(desk, "suppose", "L-1", "--day-count", "ACT_360", "--edges", edges)
    assert "day_count ACT_360 " in found.stdout, found.stderr
    assert re.search(r"bucket five_tier +│ SPECIAL_MENTION +│ SUBSTANDARD", found.stdout)
    loan = desk.ledger.call(f"{LEDGER}/GetLoan", loanId="L-1")
    same = desk.ledger.call(
        f"{SERVICE}/SupposeLoan", loanId="L-1", dayCount=loan["terms"]["dayCount"]
    )
    assert same["actual"] == same["supposed"]
    assert same["label"].startswith("counterfactual ")
    for edges, reason in (
        ({"scheme": "rbi", "edges": [{"firstDay": 0, "bucket": "A"}]}, "SCHEME_NOT_IN_POLICY"),
        ({"scheme": "m", "edges": [{"firstDay": 1, "bucket": "A"}]}, "SUPPOSITION_INVALID"),
    ):
        with pytest.raises(CallRefused) as refused:
            desk.ledger.call(f"{SERVICE}/SupposeLoan", loanId="L-1", schemeEdges=[edges])
        assert reason in _unpacked(refused.value.text)


def _unpacked(text: str) -> str:
    """Return an error of buf curl with what its details say."""
    values = [one["value"] for one in json.loads(text[text.index("{") :])["details"]]
    return "".join(base64.b64decode(value + "==").decode("latin-1") for value in values)


def _only_grew(desk, folder: Path, kept: dict, key: str) -> None:
    """After a change of key too, with the key of before; another history is not it."""
    path = folder / "kept.txt"
    path.write_text(kept["note"])
    grown = audit(desk, "grew", str(path), key, "--output", str(folder / "today.txt"))
    assert grown.exit_code == 0, grown.stderr
    assert f"the first {kept['size']} are those you saw" in grown.stdout
    assert (folder / "today.txt").read_text().startswith("duebook.local/ledger")
    stranger = load_signer("duebook.local/ledger", folder / "stranger.key")
    path.write_text(stranger.sign(Checkpoint(stranger.name, 5, b"x" * 32)))
    assert audit(desk, "grew", str(path), key).exit_code == 1


def _read_again(desk, read_id: str) -> None:
    """A read is in the log, proven; after a change of key the same question has the same answer."""
    was = desk.ledger.call(f"{SERVICE}/GetCheckpoint")["verifier"]
    arguments = ["rotate-key", "--reason", "yearly"]
    rotated = CliRunner().invoke(app, arguments, env=desk.ledger.environment)
    assert rotated.exit_code == 0, rotated.stderr
    proof = desk.ledger.call(f"{SERVICE}/ProveEvent", stream="signing-key", version=1)
    changed = base64.b64decode(proof["leaf"]).partition(b"\n")[2]
    assert json.loads(changed)["verifier_before"] == was
    assert desk.ledger.call(f"{SERVICE}/GetCheckpoint")["verifier"] in rotated.stdout.split()
    assert was != desk.ledger.call(f"{SERVICE}/GetCheckpoint")["verifier"]

    again = desk.ledger.call(f"{SERVICE}/RepeatRead", readId=read_id)
    assert (again["same"], again["reader"]) == (True, "unnamed")
    proof = desk.ledger.call(f"{SERVICE}/ProveEvent", stream=f"read/{read_id}", version=1)
    assert again["answerSha256"].encode() in base64.b64decode(proof["leaf"])


def audit(desk, *arguments: str) -> Result:
    """Run the auditors' command against a desk's ledger."""
    server = ["--server", f"127.0.0.1:{desk.ledger.port}"]
    return CliRunner().invoke(app, ["audit", *arguments, *server])


def grown_checkpoint(desk, size: int) -> dict:
    """Return the last checkpoint once the log has grown beyond a size."""
    until = time.monotonic() + 60
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
