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
    ("Recovery.GetLegalMatter", LOAN, {"limitationOn": "2029-02-05"}),
    ("Recovery.ListClaims", LOAN, {}),
    ("Cases.ListCases", {"status": "CASE_STATUS_OPEN"}, {"cases": [LOAN]}),
]


def test_a_dispute_stops_contact_until_it_is_answered(tmp_path: Path) -> None:
    """Disputed: no call, no reminder, an answer due; what happened all the same is on record."""
    with two_services(tmp_path) as teller:
        for row in DISPUTED:
            teller.tell(*row)
