"""Borrowers in collections, as tables: one falls ill, one settles, one has a guarantor."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tests.stories.two_services import cny, two_services

LOAN = {"loanId": "L-1"}
INSTALMENT = 106_619


def day(to: str) -> tuple[str, dict[str, Any], None]:
    return "Ledger.AdvanceBusinessDate", {"to": to}, None


def case(**shows: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
    return "Until.Cases.GetCase", LOAN, shows


def call(at: str, outcome: str, **more: Any) -> dict[str, Any]:
    return {**LOAN, "at": f"{at}+08:00", "channel": "call", "outcome": outcome, **more}


PLAN = {
    **LOAN,
    "instalments": 24,
    "firstDueOn": "2026-03-16",
    "rateAnnual": "0.12",
    "reason": "in hospital until March",
    "proposedBy": "officer-1",
    "measure": "MEASURE_EXTENSION",
    "circumstance": "CIRCUMSTANCE_ILLNESS",
}
BUDGET = {"incomeMinor": "600000", "expensesMinor": "500000"}
ASKED = {
    **LOAN,
    "effectiveOn": "2026-02-16",
    "firstDueOn": "2026-03-16",
    "instalments": 24,
    "rateAnnual": "0.06",
    "budget": BUDGET,
}
APPROVE = {**LOAN, "effectiveOn": "2026-02-16"}


def repay(on: str, amount: int) -> tuple[str, dict[str, Any], None]:
    return "Ledger.PostRepayment", {**LOAN, "valueOn": on, "amount": cny(amount)}, None


ILL = [
    # what is asked, with what, what the answer shows
    day("2026-02-06"),
    case(stage="GRACE", reminders=[{"stage": "GRACE", "sentOn": "2026-02-06"}]),
    day("2026-02-09"),
    case(stage="M1", reminders=[{"stage": "GRACE"}, {"stage": "M1", "language": "zh"}]),
    ("Cases.RecordContact", call("2026-02-09T07:59:59", "reached"), "CONTACT_OUTSIDE_HOURS"),
    ("Cases.RecordContact", call("2026-02-09T09:00:00", "no answer"), None),
    ("Cases.RecordContact", call("2026-02-09T10:00:00", "reached"), None),
    (
        "Cases.RecordPromise",
        {**LOAN, "amount": cny(INSTALMENT), "madeOn": "2026-02-09", "dueOn": "2026-02-12"},
        {"promises": [{"status": "PROMISE_STATUS_OPEN"}]},
    ),
    day("2026-02-13"),
    case(promises=[{"status": "PROMISE_STATUS_BROKEN"}]),
    ("Work.ListTasks", {"kind": "PROMISE_BROKEN"}, {"tasks": [{"queue": "M1", "score": 28}]}),
    ("Cases.RecordContact", call("2026-02-14T10:00:00", "reached"), None),
    (
        "Work.AddNote",
        {**LOAN, "at": "2026-02-14T10:05:00+08:00", "madeBy": "officer-1", "note": "ill"},
        None,
    ),
    day("2026-02-16"),
    (
        "Cases.ProposeHardshipPlan",
        {**PLAN, "instalments": 1, "budget": BUDGET},
        {"plan": {"status": "PLAN_STATUS_PROPOSED", "affordable": "no"}},
    ),
    (
        "Cases.ApproveHardshipPlan",
        {**APPROVE, "approvedBy": "officer-2"},
        "PLAN_NOT_AFFORDABLE",
    ),
]
HELPED = [
    ("Cases.ApproveHardshipPlan", {**APPROVE, "approvedBy": "officer-1"}, "APPROVER_IS_PROPOSER"),
    (
        "Cases.ApproveHardshipPlan",
        {**APPROVE, "approvedBy": "officer-2"},
        {"plan": {"status": "PLAN_STATUS_APPROVED", "circumstance": "CIRCUMSTANCE_ILLNESS"}},
    ),
    case(status="CASE_STATUS_CLOSED", episodes=[{"ending": "EPISODE_ENDING_RESTRUCTURED"}]),
    day("2026-03-16"),
    repay("2026-03-16", 100_000),
    day("2026-04-16"),
    repay("2026-04-16", 100_000),
    day("2026-05-16"),
    repay("2026-05-16", 100_000),
    day("2026-06-17"),
    case(status="CASE_STATUS_CLOSED", plan={"status": "PLAN_STATUS_COMPLETED"}),
]


def test_ill_and_back(tmp_path: Path, urls: dict[str, str]) -> None:
    """Late, reminded, promises and breaks, falls ill, gets a plan that bears the strain, pays."""
    with two_services(tmp_path, urls) as teller:
        for row in ILL:
            teller.tell(*row)
        options = teller.tell("Cases.PreviewHardshipOptions", ASKED)["options"]
        teller.tell("Cases.ProposeHardshipPlan", {**PLAN, "budget": BUDGET})
        for row in HELPED[:3]:
            teller.tell(*row)
        instalment = int(teller.call("Cases.GetCase", **LOAN)["plan"]["instalmentMinor"])
        for row in HELPED[3:]:
            teller.tell(*row)
        trail = teller.call("Contact.ListTrail", borrowerRef="B-1")["entries"]
        tasks = teller.call("Work.ListTasks")
        shares = teller.call("Work.GetFigures")["shares"]

    longer = {one["measure"].removeprefix("MEASURE_"): one for one in options}["EXTENSION"]
    assert longer["affordable"] == "yes"
    assert int(longer["instalmentMinor"]) == instalment < 80_000
    said = [entry["what"] for entry in trail]
    for what in ("CONTACT", "REFUSED", "NOTE", "PLAN_PROPOSED", "PLAN_APPROVED"):
        assert what in said
    assert [e["policy"] for e in trail if e["what"] == "REFUSED"] == ["cn/2026-01-30"]
    assert tasks == {}
    counted = {
        one["figure"]: (one.get("part", 0), one["whole"]) for one in shares if "arm" not in one
    }
    assert counted["cure"] == (1, 1) and counted["promise_kept"] == (0, 1)
    assert counted["right_party"] == (2, 3)


SUM = {
    **LOAN,
    "measure": "MEASURE_SETTLEMENT",
    "circumstance": "CIRCUMSTANCE_UNEMPLOYED",
    "firstDueOn": "2026-04-30",
    "reason": "a brother pays",
    "proposedBy": "officer-1",
}
TAKE = {**LOAN, "valueOn": "2026-04-20"}
SETTLED = [
    # what is asked, with what, what the answer shows
    day("2026-04-08"),
    case(stage="M3", status="CASE_STATUS_OPEN"),
    ("Cases.ProposeHardshipPlan", {**SUM, "settlement": cny(500_000)}, "SETTLEMENT_TOO_LOW"),
    ("Cases.ProposeHardshipPlan", {**SUM, "settlement": cny(2_000_000)}, "REPAYMENT_ABOVE_PAYOFF"),
    (
        "Cases.ProposeHardshipPlan",
        {**SUM, "settlement": cny(800_000)},
        {"plan": {"status": "PLAN_STATUS_PROPOSED", "settlementMinor": "800000"}},
    ),
    (
        "Cases.ApproveHardshipPlan",
        {**LOAN, "effectiveOn": "2026-04-08", "approvedBy": "officer-2"},
        {"plan": {"status": "PLAN_STATUS_APPROVED"}},
    ),
    ("Ledger.GetLoan", LOAN, {"status": "LOAN_STATUS_ACTIVE"}),
    day("2026-04-20"),
    ("Cases.TakeSettlement", {**TAKE, "amount": cny(700_000)}, "SETTLEMENT_NOT_MET"),
    (
        "Cases.TakeSettlement",
        {**TAKE, "amount": cny(800_000)},
        {"plan": {"status": "PLAN_STATUS_COMPLETED"}},
    ),
    ("Ledger.GetLoan", LOAN, {"status": "LOAN_STATUS_SETTLED"}),
    case(status="CASE_STATUS_CLOSED", episodes=[{"ending": "EPISODE_ENDING_SETTLED"}]),
]


def test_one_sum_instead_of_all(tmp_path: Path, urls: dict[str, str]) -> None:
    """Out of work, 62 days late: 8,000.00 by the end of April, agreed by two, paid, let go of."""
    with two_services(tmp_path, urls) as teller:
        for row in SETTLED:
            teller.tell(*row)
        trail = teller.call("Contact.ListTrail", borrowerRef="B-1")["entries"]

    said = {entry["what"] for entry in trail}
    assert said > {"PLAN_PROPOSED", "PLAN_APPROVED", "SETTLEMENT_TAKEN"}


CLAIM = {
    **LOAN,
    "standin": "STANDIN_GUARANTOR",
    "standinRef": "G-1",
    "cover": cny(300_000),
    "validUntil": "2026-12-31",
    "waitingDays": 60,
    "documentsWanted": ["demand letter"],
}
DEMAND = {**LOAN, "step": "LEGAL_STEP_DEMAND", "proposedBy": "officer-1", "cost": cny(10_000)}
FILE = {"amount": cny(250_000), "filedBy": "officer-1"}
ONE = {"claimId": "claim-1"}
GUARANTOR = [
    day("2026-03-05"),
    case(stage="M1"),
    ("Recovery.OpenClaim", {**CLAIM, "requestId": "claim-1"}, {"status": "CLAIM_STATUS_OPEN"}),
    ("Recovery.OpenClaim", CLAIM, "CLAIM_ALREADY_OPEN"),
    ("Recovery.FileClaim", {**FILE, **ONE, "filedOn": "2026-03-05"}, "CLAIM_WAITING_PERIOD"),
    ("Recovery.ProposeLegalStep", {**DEMAND, "on": "2026-03-05"}, "LEGAL_PERSON_NOT_CHECKED"),
    day("2026-04-20"),
    case(stage="M3"),
    ("Recovery.FileClaim", {**FILE, **ONE, "filedOn": "2026-04-20"}, "CLAIM_DOCUMENTS_MISSING"),
    (
        "Recovery.RecordPersonCheck",
        {**LOAN, "on": "2026-04-20", "checkedBy": "carer-1", "note": "able", "mayGoOn": True},
        {"personCheckedOn": "2026-04-20", "limitationOn": "2030-01-05"},
    ),
    ("Recovery.ProposeLegalStep", {**DEMAND, "on": "2026-04-20"}, {"steps": [{}]}),
    ("Recovery.ApproveLegalStep", {**LOAN, "approvedBy": "officer-1"}, "APPROVER_IS_PROPOSER"),
    (
        "Recovery.ApproveLegalStep",
        {**LOAN, "approvedBy": "officer-2"},
        {"steps": [{"status": "APPROVED"}], "limitationOn": "2030-01-05"},
    ),
    (
        "Cases.RecordContact",
        {
            **call("2026-04-20T10:00:00", "sent"),
            "channel": "letter",
            "purpose": "legal notice",
        },
        None,
    ),
    ("Recovery.GetLegalMatter", LOAN, {"limitationOn": "2030-01-05", "finalDueOn": "2027-01-05"}),
    (
        "Recovery.ProposeLegalStep",
        {**DEMAND, "step": "LEGAL_STEP_FILING", "on": "2026-04-20"},
        "LEGAL_STEP_OUT_OF_ORDER",
    ),
    (
        "Recovery.AddClaimDocument",
        {**ONE, "kind": "demand letter", "sha256": "a" * 64},
        {"documents": ["demand letter"]},
    ),
    (
        "Recovery.FileClaim",
        {**FILE, **ONE, "filedOn": "2026-04-20"},
        {"status": "CLAIM_STATUS_FILED", "claimedMinor": "250000"},
    ),
]
PAID = [
    (
        "Recovery.AnswerClaim",
        {**ONE, "on": "2026-04-20", "amount": cny(250_000)},
        {"status": "CLAIM_STATUS_PAID", "paidMinor": "250000"},
    ),
    ("Ledger.GetLoan", LOAN, {"subrogatedMinor": "250000", "status": "LOAN_STATUS_ACTIVE"}),
    case(status="CASE_STATUS_OPEN", stage="M3"),
]


def test_the_guarantor_pays_and_has_recourse(tmp_path: Path, urls: dict[str, str]) -> None:
    """The guarantor pays; the borrower owes as much as before, now in part to the guarantor."""
    with two_services(tmp_path, urls) as teller:
        for row in GUARANTOR:
            teller.tell(*row)
        before = int(teller.call("Ledger.GetLoan", **LOAN)["payoffMinor"])
        for row in PAID:
            teller.tell(*row)
        after = int(teller.call("Ledger.GetLoan", **LOAN)["payoffMinor"])
        own = {"creditorRef": "lender", "owedMinor": str(before - 250_000)}
        mine = {"creditorRef": "G-1", "owedMinor": "250000"}
        shared = {**LOAN, "amount": cny(before - 200_000)}
        teller.tell(
            "Recovery.ShareRecovery",
            shared,
            {
                "shares": [
                    {**own, "shareMinor": str(before - 250_000)},
                    {**mine, "shareMinor": "50000"},
                ]
            },
        )
        evidence = teller.call("Recovery.GetEvidence", **LOAN)

    assert before == after
    assert hashlib.sha256(evidence["json"].encode()).hexdigest() == evidence["sha256"]
    gathered = json.loads(evidence["json"])
    assert gathered["claims"][0]["paid_minor"] == 250_000
    assert [step["step"] for step in gathered["legal"]["steps"]] == ["DEMAND"]
    assert {"PERSON_CHECKED", "LEGAL_APPROVED", "CLAIM"} <= {e["what"] for e in gathered["trail"]}
    assert len(gathered["messages"]) >= 3
    assert all(len(one["sha256"]) == 64 for one in gathered["ledger"])
