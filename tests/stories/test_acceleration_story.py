"""Everything falls due after a letter and its days; whoever pays in them is let be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.stories.test_collections_stories import LOAN, case, day, repay
from tests.stories.two_services import two_services

STEP = {**LOAN, "proposedBy": "officer-1"}
NOTICE = {**STEP, "step": "LEGAL_STEP_ACCELERATION_NOTICE"}
DECLARE = {**STEP, "step": "LEGAL_STEP_ACCELERATION"}
BACK = {**STEP, "step": "LEGAL_STEP_ACCELERATION_WITHDRAWAL"}
APPROVE = {**LOAN, "approvedBy": "officer-2"}
TOLD = {"toldOn": "2026-05-07", "payBy": "2026-06-06", "untilOn": "2026-08-05"}


def looked_at(on: str) -> tuple[str, dict[str, Any], None]:
    looked = {**LOAN, "on": on, "checkedBy": "carer-1", "note": "able", "mayGoOn": True}
    return "Recovery.RecordPersonCheck", looked, None


WARNED = [
    # what is asked, with what, what the answer shows
    day("2026-03-05"),
    case(stage="M1"),
    day("2026-04-20"),
    case(stage="M3"),
    day("2026-05-06"),
    looked_at("2026-05-06"),
    ("Recovery.ProposeLegalStep", {**NOTICE, "on": "2026-05-06"}, "LEGAL_NOT_LATE_ENOUGH"),
    ("Recovery.ProposeLegalStep", {**DECLARE, "on": "2026-05-06"}, "LEGAL_NOT_LATE_ENOUGH"),
    day("2026-05-07"),
    case(stage="M4"),
    ("Recovery.ProposeLegalStep", {**NOTICE, "on": "2026-05-07"}, {"steps": [{}]}),
    ("Recovery.ApproveLegalStep", {**LOAN, "approvedBy": "officer-1"}, "APPROVER_IS_PROPOSER"),
    ("Recovery.ApproveLegalStep", APPROVE, {"steps": [{"status": "APPROVED"}]}),
    ("Until.Recovery.GetLegalMatter", LOAN, {"accelerationNotice": {**TOLD, "paidOn": ""}}),
]
DECLARED = [
    day("2026-06-06"),
    case(stage="M5"),
    looked_at("2026-06-06"),
    ("Recovery.ProposeLegalStep", {**DECLARE, "on": "2026-06-06"}, "LEGAL_NOTICE_MISSING"),
    day("2026-07-06"),
    case(stage="M6", acceleration=""),
    looked_at("2026-07-06"),
    ("Recovery.ProposeLegalStep", {**DECLARE, "on": "2026-07-07"}, "LEGAL_DATE_TOO_FAR"),
    ("Recovery.ProposeLegalStep", {**DECLARE, "on": "2026-07-06"}, {"steps": [{}, {}]}),
    (
        "Recovery.ApproveLegalStep",
        {**APPROVE, "requestId": "approve-1"},
        {"steps": [{}, {"ledgerOutcome": "DONE", "refusal": ""}]},
    ),
    (
        "Recovery.ApproveLegalStep",
        {**APPROVE, "requestId": "approve-1"},
        {"steps": [{}, {"ledgerOutcome": "DONE"}]},
    ),
    ("Ledger.GetLoan", LOAN, {"acceleratedOn": "2026-07-06"}),
    case(acceleration={"acceleratedOn": "2026-07-06", "notifiedOn": "2026-05-07"}),
    day("2026-07-07"),
]
TAKEN_BACK = [
    ("Recovery.ProposeLegalStep", {**NOTICE, "on": "2026-07-07"}, "LEGAL_DUE_ALREADY"),
    ("Recovery.ProposeLegalStep", {**BACK, "on": "2026-07-06"}, {"steps": [{}, {}, {}]}),
    (
        "Recovery.ApproveLegalStep",
        APPROVE,
        {"steps": [{}, {}, {"ledgerOutcome": "DONE"}], "accelerationNotice": ""},
    ),
    ("Ledger.GetLoan", LOAN, {"acceleratedOn": ""}),
    case(acceleration=""),
    ("Recovery.ProposeLegalStep", {**DECLARE, "on": "2026-07-06"}, "LEGAL_NOTICE_MISSING"),
]


def test_declared_due_and_taken_back(tmp_path: Path, urls: dict[str, str]) -> None:
    """91 days late, told on 7 May, nothing by 6 June: all of it due in July, then not again."""
    with two_services(tmp_path, urls) as teller:
        for row in (*WARNED, *DECLARED):
            teller.tell(*row)
        principal = int(teller.call("Ledger.GetLoan", **LOAN)["principalOutstandingMinor"])
        shown = teller.call("Cases.GetCase", **LOAN)["acceleration"]
        everything = str(overdue(teller.call("Ledger.GetLoan", **LOAN)))
        teller.until("Cases.GetCase", LOAN, {"arrearsMinor": everything})
        for row in TAKEN_BACK:
            teller.tell(*row)
        events = teller.call("Ledger.ListLoanEvents", **LOAN)["events"]
        entries = teller.call("Contact.ListTrail", borrowerRef="B-1")["entries"]
        messages = teller.call("Contact.ListMessages", **LOAN)["messages"]

    topics = [one["topic"].rpartition(".")[2] for one in events]
    assert topics.count("LoanAccelerated") == topics.count("AccelerationWithdrawn") == 1
    assert 0 < int(shown["principalMinor"]) < principal == 1_200_000
    said = [e["said"] for e in entries if e["what"] == "LEDGER_TOLD"]
    assert said == ["ACCELERATION: done", "ACCELERATION_WITHDRAWAL: done"]
    assert len([m for m in messages if "acceleration-1" in m["name"]]) == 1
    letters = [path.read_text("utf-8") for path in (tmp_path / "outbox").glob("*")]
    assert [one for one in letters if "宣布贷款全部提前到期" in one and "2026-06-06" in one]


def overdue(loan: dict[str, Any]) -> int:
    late = loan["delinquency"]
    return int(late["principalOverdueMinor"]) + int(late["interestOverdueMinor"])


PAID = [
    day("2026-05-20"),
    repay("2026-05-20", 50_000),
    ("Until.Recovery.GetLegalMatter", LOAN, {"accelerationNotice": {"paidOn": "2026-05-20"}}),
    day("2026-07-06"),
    case(stage="M6"),
    looked_at("2026-07-06"),
    ("Recovery.ProposeLegalStep", {**DECLARE, "on": "2026-07-06"}, "LEGAL_PAID_IN_TIME"),
    repay("2026-07-06", 620_000),
    case(status="CASE_STATUS_CLOSED"),
    ("Recovery.ProposeLegalStep", {**DECLARE, "on": "2026-07-06"}, "CASE_IS_CLOSED"),
    ("Ledger.GetLoan", LOAN, {"acceleratedOn": "", "status": "LOAN_STATUS_ACTIVE"}),
]


def test_who_pays_within_the_notice_is_let_be(tmp_path: Path, urls: dict[str, str]) -> None:
    """500.00 of 20 May stops it, the rest in July cures it: the instalments stay as they were."""
    with two_services(tmp_path, urls) as teller:
        for row in (*WARNED, *PAID):
            teller.tell(*row)
