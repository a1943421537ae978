"""A borrower disputes the debt: contact stops until there is an answer; told as a table."""

from __future__ import annotations

from pathlib import Path

from tests.stories.test_collections_stories import INSTALMENT, LOAN, call, case, day
from tests.stories.two_services import two_services

SENT = "L-1.2026-02-06.GRACE.grace-reminder"
ANSWER = {"taskId": "L-1.answer_dispute.2026-02-06"}
DISPUTE = {"borrowerRef": "B-1", "kind": "PROTECTION_KIND_DISPUTE", "fromOn": "2026-02-06"}
WRITES = {"requestId": "dispute-1", "note": "says that it was paid"}
DISPUTED = [
    day("2026-02-06"),
    case(stage="GRACE", reminders=[{"messageName": SENT}]),
    ("Contact.AddProtection", {**DISPUTE, **WRITES}, {"protections": [{"note": WRITES["note"]}]}),
    ("Cases.RecordContact", call("2026-02-07T10:00:00", "reached"), "CONTACT_DISPUTED"),
    (
        "Cases.RecordContact",
        call("2026-02-07T10:00:00", "reached", purpose="answer", requestId="answer-1"),
        {"contacts": [{"attemptId": "answer-1"}]},
    ),
    (
        "Cases.RecordContact",
        call("2026-02-07T23:00:00", "reached", happened=True),
        {"contacts": [{"breach": ""}, {"breach": "house-dispute"}]},
    ),
    ("Work.ListTasks", {"kind": "ANSWER_DISPUTE"}, {"tasks": [{"dueOn": "2026-02-17"}]}),
    ("Work.FinishTask", {**ANSWER, "doneBy": "ann", "note": "answered"}, {"state": "DONE"}),
    ("Work.FinishTask", {**ANSWER, "doneBy": "ann", "note": "again"}, "TASK_IS_DONE"),
    day("2026-02-09"),
    case(stage="M1", reminders=[{"stage": "GRACE"}]),
    (
        "Contact.ListMessages",
        LOAN,
        {
            "messages": [
                {"state": "MESSAGE_STATE_SENT", "rules": "cn/2026-01-30"},
                {"state": "MESSAGE_STATE_CANCELLED", "why": "house-dispute"},
            ]
        },
    ),
    (
        "Contact.EndProtection",
        {"borrowerRef": "B-1", "protectionId": "dispute-1", "lastOn": "2026-02-10"},
        {"protections": [{"untilOn": "2026-02-10"}]},
    ),
    (
        "Cases.RecordContact",
        call("2026-02-11T10:00:00", "in progress", requestId="call-1"),
        None,
    ),
    (
        "Contact.FinishContact",
        {"attemptId": "call-1", "outcome": "no answer"},
        {"outcome": "no answer"},
    ),
    ("Contact.FinishContact", {"attemptId": "call-9", "outcome": "reached"}, "ATTEMPT_NOT_FOUND"),
    (
        "Contact.RecordReceipt",
        {"messageName": SENT, "at": "2026-02-11T10:00:00Z", "note": "no such box"},
        {"state": "MESSAGE_STATE_BOUNCED"},
    ),
    ("Work.ListTasks", {"kind": "FIND_ADDRESS"}, {"tasks": [{"loanId": "L-1"}]}),
    (
        "Contact.GetDebtor",
        {"borrowerRef": "B-1"},
        {"jurisdiction": "CN", "arrearsMinor": {"CNY": str(INSTALMENT)}, "cases": [LOAN]},
    ),
    ("Recovery.GetLegalMatter", LOAN, {"limitationOn": "2030-01-05"}),
    ("Recovery.ListClaims", LOAN, {}),
    ("Cases.ListCases", {"status": "CASE_STATUS_OPEN"}, {"cases": [LOAN]}),
]
FLOOD = {
    "region": "CN-51",
    "fromOn": "2026-02-09",
    "untilOn": "2026-03-09",
    "note": "flood",
    "declaredBy": "lead-1",
    "pauseDelinquency": True,
}
NAMED = {"disasterId": "flood-1"}
FLOODED = [
    ("Contact.RegisterDebtor", {"borrowerRef": "B-1", "region": "CN-51-01"}, {"cases": [LOAN]}),
    ("Contact.DeclareDisaster", {**FLOOD, "validateOnly": True}, {"debtors": "1", "cases": "1"}),
    ("Contact.GetDisaster", NAMED, "DISASTER_NOT_FOUND"),
    (
        "Contact.DeclareDisaster",
        {**FLOOD, "requestId": "flood-1"},
        {"arrearsMinor": {"CNY": str(INSTALMENT)}, "borrowerRefs": ["B-1"]},
    ),
    ("Cases.RecordContact", call("2026-02-12T10:00:00", "reached"), "CONTACT_IN_DISASTER"),
    ("Until.Contact.GetDisaster", NAMED, {"pauses": {"pause done": "1"}}),
    (
        "Contact.EndDisaster",
        {**NAMED, "lastOn": "2026-02-01", "endedBy": "lead-2"},
        {"lastOn": "2026-02-08", "endedBy": "lead-2"},
    ),
    ("Until.Contact.GetDisaster", NAMED, {"pauses": {"pause done": "1", "resume done": "1"}}),
    ("Cases.RecordContact", call("2026-02-12T10:00:00", "reached"), None),
    ("Cases.WithdrawHardshipPlan", {**LOAN, "withdrawnBy": "ann"}, "PLAN_NOT_FOUND"),
    ("Recovery.WithdrawLegalStep", {**LOAN, "withdrawnBy": "ann"}, "LEGAL_STEP_NOT_FOUND"),
    ("Recovery.GetPlacement", LOAN, "PLACEMENT_NOT_FOUND"),
    (
        "Recovery.PlaceWithAgency",
        {**LOAN, "agencyRef": "A-1", "on": "2026-02-12", "placedBy": "lead-1"},
        "AGENCY_NOT_APPROVED",
    ),
    (
        "Recovery.RecallFromAgency",
        {**LOAN, "on": "2026-02-12", "recalledBy": "lead-1", "why": "over"},
        "PLACEMENT_NOT_FOUND",
    ),
]


def test_a_dispute_stops_contact_until_it_is_answered(tmp_path: Path, urls: dict[str, str]) -> None:
    """Disputed: no call, no reminder, an answer due; what happened is on record. Then a flood."""
    with two_services(tmp_path, urls) as teller:
        for row in (*DISPUTED, *FLOODED):
            teller.tell(*row)
