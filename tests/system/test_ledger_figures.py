"""What a caller can ask about figures: effects before, explanations after, two clocks between."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.conftest import Desk
from tests.system.processes import ROOT, CallRefused
from tests.system.test_ledger_process import LEDGER, TERMS, cny, replay

WIDE = {
    **TERMS,
    "downPaymentRate": "0.25",
    "evenOutLast": True,
    "overpayment": "OVERPAYMENT_CREDIT",
    "allocationPolicy": "cn-civil-561/1",
    "delinquencyPolicy": "all-schemes/1",
}


def call(desk: Desk, method: str, **body: object) -> dict[str, object]:
    """Call with a request id of its own."""
    desk.count = getattr(desk, "count", 0) + 1
    return desk.ledger.call(f"{LEDGER}/{method}", requestId=f"q-{desk.count}", **body)


def lend(desk: Desk) -> None:
    """Open and pay a loan out, with wide terms, on 2026-01-05; a month later nothing was paid."""
    call(desk, "AdvanceBusinessDate", to="2026-01-05")
    call(desk, "OpenLoan", loanId="L-1", borrowerRef="B-1", product="p", terms=WIDE)
    call(desk, "DisburseLoan", loanId="L-1", valueOn="2026-01-05", amount=cny(1_200_000))
    call(desk, "AdvanceBusinessDate", to="2026-02-15")


def test_effects_are_said_before_they_are_had(desk: Desk) -> None:
    """`validate_only` stores nothing, and says exactly what the command then does."""
    lend(desk)
    body = {"loanId": "L-1", "valueOn": "2026-02-15", "amount": cny(400_000)}

    said = call(desk, "PostRepayment", **body, validateOnly=True)["loan"]
    before = desk.ledger.call(f"{LEDGER}/GetLoan", loanId="L-1")
    had = call(desk, "PostRepayment", **body)["loan"]

    effects = said.pop("effects")
    assert before["version"] != had["version"]
    assert said == had
    assert effects["events"][0] == "RepaymentPosted"
    assert "PARTIALLY_CURED" in effects["published"] or "CURED" in effects["published"]
    assert sum(int(line["amountMinor"]) for line in effects["journal"]) == 0
    assert {line["effectiveOn"] for line in effects["journal"]} == {body["valueOn"]}
    assert effects["before"]["daysPastDue"] == 41
    assert effects["figuresAfter"]["payoff"] == had["payoffMinor"]


def test_a_figure_is_explained_to_a_stranger(desk: Desk, tmp_path: Path) -> None:
    """The answer of an independent client is recomputed by the evaluator alone."""
    lend(desk)
    call(desk, "PostRepayment", loanId="L-1", valueOn="2026-02-10", amount=cny(310_000))
    loan = desk.ledger.call(f"{LEDGER}/GetLoan", loanId="L-1")

    trees = [
        desk.ledger.call(f"{LEDGER}/ExplainLoan", loanId="L-1", figure=figure)
        for figure in ("payoff", "arrears", "penalty_outstanding", "days_past_due")
    ]
    file = tmp_path / "explained.json"
    file.write_text(json.dumps([tree["explanation"] for tree in trees]))
    audit = subprocess.run(
        [sys.executable, "-I", str(ROOT / "shared/audit/evaluate.py"), str(file)],
        capture_output=True,
        text=True,
    )

    assert audit.returncode == 0, audit.stderr
    assert f"payoff: {loan['payoffMinor']} agrees" in audit.stdout
    assert [row["dueOn"] for row in trees[0]["pastDue"]] == ["2026-01-05", "2026-02-05"]
    with pytest.raises(CallRefused, match="is not a figure"):
        desk.ledger.call(f"{LEDGER}/ExplainLoan", loanId="L-1", figure="luck")


def test_two_looks_differ_by_steps(desk: Desk) -> None:
    """What we learned later about an earlier date is attributed, and sums exactly."""
    lend(desk)
    learned = call(desk, "PostRepayment", loanId="L-1", valueOn="2026-01-20", amount=cny(300_000))
    events = desk.ledger.call(f"{LEDGER}/ListLoanEvents", loanId="L-1")["events"]
    then = next(e for e in events if e["topic"].endswith("RepaymentPosted"))["recordedAt"]
    before = {"effectiveOn": "2026-01-31", "knownAt": events[1]["recordedAt"]}
    after = {"effectiveOn": "2026-02-15", "knownAt": then}

    found = desk.ledger.call(f"{LEDGER}/CompareLoan", loanId="L-1", before=before, after=after)

    assert learned["allocations"]
    assert {step["cause"] for step in found["steps"]} >= {"RepaymentPosted", "time"}
    for figure in {*found["before"], *found["after"]}:
        moved = sum(int(step["changes"].get(figure, 0)) for step in found["steps"])
        assert int(found["before"].get(figure, 0)) + moved == int(found["after"].get(figure, 0))


def test_pauses_charges_and_credit(desk: Desk) -> None:
    """Pauses do not classify, charges have their instalment, credit is refunded; replay agrees."""
    lend(desk)
    pause = {"fromOn": "2026-02-06", "untilOn": "2026-02-28", "reason": "flood"}

    paused = call(desk, "PauseDelinquency", loanId="L-1", **pause)
    dated = {"valueOn": "2026-02-15", "dueOn": "2026-02-20", "amount": cny(2_000)}
    charged = call(desk, "ApplyCharge", loanId="L-1", reason="returned debit", **dated)
    charge_id = f"q-{desk.count}"
    waiver = {"chargeId": charge_id, "valueOn": "2026-02-15", "reason": "ours", "approvedBy": "Li"}
    waived = call(desk, "WaiveCharge", loanId="L-1", **waiver)
    call(desk, "PostRepayment", loanId="L-1", valueOn="2026-02-15", amount=cny(1_300_000))
    money = {"valueOn": "2026-02-15", "amount": cny(1_000), "reason": "asked"}
    refunded = call(desk, "RefundCredit", loanId="L-1", **money)

    assert paused["delinquency"]["daysPastDue"] == 41
    assert paused["delinquency"]["daysPaused"] == 9
    assert charged["feesOutstandingMinor"] == "2000"
    assert "feesOutstandingMinor" not in waived
    assert refunded["status"] == "LOAN_STATUS_SETTLED"
    assert int(refunded["unallocatedMinor"]) > 0
    assert desk.ledger.stop() == 0
    audit = replay(desk)
    assert audit.returncode == 0, audit.stdout + audit.stderr
