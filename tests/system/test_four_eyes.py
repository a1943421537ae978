"""Four eyes in a real ledger: a change takes effect only after another person's own call."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import approval_service_pb2 as approval_pb
from lending.ledger.v1 import approval_service_pb2_grpc as approval_grpc
from lending.ledger.v1 import audit_service_pb2 as audit_pb
from lending.ledger.v1 import audit_service_pb2_grpc as audit_grpc
from lending.ledger.v1 import ledger_service_pb2 as pb

from services.ledger.adapters.event_store import open_event_store
from services.ledger.application.inspecting import APPROVED, inspect
from services.ledger.compose_replay import WRITTEN
from shared.kernel.errors import LendingError
from tests.system.secured_ledger import DAY, Stub, secured_ledger

CALLERS = (
    '"person/li" = ["servicer", "reader"]',
    '"person/wang" = ["approver", "reader"]',
    '"person/both" = ["servicer", "approver"]',
    '"person/zhao" = ["auditor"]',
)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Stub]:
    """A ledger under the production profile with a loan and a repayment; by whose certificate."""
    async with secured_ledger(tmp_path, *CALLERS) as stub:
        yield stub


def reversal(reason: str = "returned debit") -> pb.ReverseRepaymentRequest:
    return pb.ReverseRepaymentRequest(
        request_id="back-1", loan_id="L-1", repayment_id="money-1", reason=reason
    )


async def reason_of(call: Any) -> str:
    try:
        await call
        return "done"
    except LendingError as refused:
        return refused.reason


def word(name: str, change: Any = None, *, look: bool = False) -> approval_pb.ApproveChangeRequest:
    return approval_pb.ApproveChangeRequest(
        request_id=name, reverse_repayment=change or reversal(), validate_only=look
    )


async def test_a_reversal_by_two_persons(ledger: Callable[..., Any]) -> None:
    """Nobody alone, not another body, not the approver; then once, and the log says by whom."""
    li, both = (ledger(f"person/{name}").ReverseRepayment for name in ("li", "both"))
    approvals = approval_grpc.LedgerApprovalServiceStub
    wang, both_approve = (
        ledger(f"person/{name}", approvals).ApproveChange for name in ("wang", "both")
    )
    steps = [
        # what happens      | call          | request             | answer
        ("alone",             li,           reversal(),           "APPROVAL_MISSING"),
        ("looked at",         wang,         word("a-0", look=True), "done"),
        ("after a look",      li,           reversal(),           "APPROVAL_MISSING"),
        ("of one's own",      both_approve, word("b-1", reversal("own")), "done"),
        ("on one's own word", both,         reversal("own"),      "APPROVER_IS_MAKER"),
        ("approved",          wang,         word("a-1"),          "done"),
        ("another body",      li,           reversal("another"),  "APPROVAL_MISSING"),
        ("now",               li,           reversal(),           "done"),
        ("again",             li,           reversal(),           "done"),
        ("word again",        wang,         word("a-1"),          "done"),
    ]  # fmt: skip

    found = [(name, await reason_of(call(request))) for name, call, request, _ in steps]

    assert found == [(name, answer) for name, _, _, answer in steps]


async def test_a_request_to_approve_has_one_effect(
    ledger: Callable[..., Any], tmp_path: Path
) -> None:
    """Its id is good for one change, by one person, and for nothing else in the ledger."""
    approvals = approval_grpc.LedgerApprovalServiceStub
    wang, both = (ledger(f"person/{name}", approvals).ApproveChange for name in ("wang", "both"))
    other = pb.ReverseRepaymentRequest(
        request_id="back-2", loan_id="L-1", repayment_id="money-1", reason="returned debit"
    )
    money = pb.PostRepaymentRequest(
        request_id="a-1", loan_id="L-1", value_on=DAY, amount=Money(amount_minor=1, currency="CNY")
    )
    pay = ledger("service/payments").PostRepayment
    steps = [
        # what happens        | call | request                | answer
        ("approved",            wang,  word("a-1"),             "done"),
        ("again",               wang,  word("a-1"),             "done"),
        ("looked at after",     wang,  word("a-1", look=True),  "done"),
        ("another body",        wang,  word("a-1", reversal("x")), "REQUEST_ID_REUSED"),
        ("another change",      wang,  word("a-1", other),      "REQUEST_ID_REUSED"),
        ("another person",      both,  word("a-1"),             "REQUEST_ID_REUSED"),
        ("money under its id",  pay,   money,                   "REQUEST_ID_REUSED"),
        ("under money's id",    wang,  word("money-1"),         "REQUEST_ID_REUSED"),
        ("under the change's",  wang,  word("back-1"),          "REQUEST_ID_REUSED"),
        ("the other change",    wang,  word("a-2", other),      "done"),
    ]  # fmt: skip

    found = [(name, await reason_of(call(request))) for name, call, request, _ in steps]

    assert found == [(name, answer) for name, _, _, answer in steps]
    log = open_event_store(f"sqlite+aiosqlite:///{tmp_path}/ledger.db")
    wrong = [text for verdict in inspect(log, WRITTEN) for text in verdict.different]
    log.close()
    assert wrong == []


async def test_every_event_says_who_called(ledger: Callable[..., Any]) -> None:
    """The actor of an event is the identity of the certificate, whatever was asked."""
    await ledger("person/wang", approval_grpc.LedgerApprovalServiceStub).ApproveChange(word("a-1"))
    li = ledger("person/li")
    await li.ReverseRepayment(reversal())

    events = (await li.ListLoanEvents(pb.ListLoanEventsRequest(loan_id="L-1"))).events

    actors = {e.topic.rpartition(".")[2]: json.loads(e.body_json)["actor"] for e in events}
    assert actors["LoanOpened"] == actors["LoanDisbursed"] == "service/origination"
    assert actors["RepaymentPosted"] == "service/payments"
    assert actors["RepaymentReversed"] == "person/li"


async def test_the_approval_is_an_event_that_can_be_proven(ledger: Callable[..., Any]) -> None:
    """It is a leaf of the sealed log, and who reads the proof is known too."""
    wang = ledger("person/wang", approval_grpc.LedgerApprovalServiceStub)
    auditor = ledger("person/zhao", audit_grpc.LedgerAuditServiceStub)

    await wang.ApproveChange(word("a-1"))
    proof = await auditor.ProveEvent(
        audit_pb.ProveEventRequest(stream="approval/back-1", version=1)
    )

    assert b'"approved_by":"person/wang"' in proof.leaf


async def test_a_service_that_vouches_needs_no_second_word(ledger: Callable[..., Any]) -> None:
    """Collections has had two persons look at a plan; a servicer's restructuring waits for one."""
    request = pb.RestructureLoanRequest(
        request_id="plan-1",
        loan_id="L-1",
        effective_on=DAY,
        instalments=24,
        reason="hardship: illness",
        approved_by="person/wang",
    )

    assert await reason_of(ledger("person/li").RestructureLoan(request)) == "APPROVAL_MISSING"
    assert await reason_of(ledger("service/collections").RestructureLoan(request)) == "done"


async def test_the_log_says_what_needs_a_second_person(
    ledger: Callable[..., Any], tmp_path: Path
) -> None:
    """From the start, before any change; what was vouched for or approved is not a finding."""
    plan = pb.RestructureLoanRequest(
        request_id="plan-1",
        loan_id="L-1",
        effective_on=DAY,
        instalments=24,
        reason="hardship: illness",
        approved_by="person/wang",
    )
    await ledger("person/wang", approval_grpc.LedgerApprovalServiceStub).ApproveChange(word("a-1"))
    await ledger("person/li").ReverseRepayment(reversal())
    await ledger("service/collections").RestructureLoan(plan)

    log = open_event_store(f"sqlite+aiosqlite:///{tmp_path}/ledger.db")
    rules, first = log.stream("approval-rule"), log.log(0, 1)[0]
    verdict = next(v for v in inspect(log, WRITTEN) if v.name == APPROVED)
    log.close()

    assert first.originator_id == "approval-rule"
    assert len(rules) == 1 and "ReverseRepayment" in rules[0].methods
    assert ("service/collections", "RestructureLoan") in rules[0].vouchers
    assert (verdict.rows, verdict.different) == (1, [])
