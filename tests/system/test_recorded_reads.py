"""What auditors read of a real ledger is in its log before they are told; others' reads are not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import audit_service_pb2 as audit_pb
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1.audit_service_pb2_grpc import LedgerAuditServiceStub

from services.ledger.adapters.event_store import open_event_store
from shared.kernel.errors import LendingError
from tests.system.secured_ledger import DAY, Stub, secured_ledger

CALLERS = (
    '"person/zhao" = ["auditor"]',
    '"person/qian" = ["reader"]',
    '"service/back-office" = ["gateway"]',
)
LOAN = pb.GetLoanRequest(loan_id="L-1")
EVENT = audit_pb.ProveEventRequest(loan_id="L-1", version=1)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Stub]:
    """A ledger under the production profile with loan L-1."""
    async with secured_ledger(tmp_path, *CALLERS) as stub:
        yield stub


def recorded(folder: Path) -> list[dict[str, Any]]:
    """Return the reads in the log, in its order."""
    store = open_event_store(f"sqlite+aiosqlite:///{folder}/ledger.db")
    rows = [row for row in store.log(0, 1000) if row.originator_id.startswith("read/")]
    store.close()
    return [json.loads(row.state) for row in rows]


async def id_of(call: Any) -> str:
    """Wait for an answer; return the id of its record, "" when it has none."""
    await call
    return next((v for k, v in await call.trailing_metadata() if k == "duebook-read-id"), "")


async def test_an_auditors_reads_are_in_the_log(ledger: Stub, tmp_path: Path) -> None:
    """Each kind of read, by the certificate's name; checkpoints and refused reads are not."""
    zhao, audit = ledger("person/zhao"), ledger("person/zhao", LedgerAuditServiceStub)
    ids = [
        await id_of(zhao.GetLoan(LOAN, metadata=[("duebook-purpose", "yearly audit")])),
        await id_of(zhao.ExplainLoan(pb.ExplainLoanRequest(loan_id="L-1", figure="payoff"))),
        await id_of(zhao.CompareLoan(pb.CompareLoanRequest(loan_id="L-1"))),
        await id_of(zhao.ListLoans(pb.ListLoansRequest())),
        await id_of(zhao.ListLoanEvents(pb.ListLoanEventsRequest(loan_id="L-1"))),
        await id_of(zhao.GetTrialBalance(pb.GetTrialBalanceRequest())),
        await id_of(audit.ProveEvent(EVENT)),
    ]
    no_ids = [
        await id_of(audit.GetCheckpoint(audit_pb.GetCheckpointRequest())),
        await id_of(zhao.GetBusinessDate(pb.GetBusinessDateRequest())),
    ]
    with pytest.raises(LendingError, match="L-404"):
        await zhao.GetLoan(pb.GetLoanRequest(loan_id="L-404"))

    reads = recorded(tmp_path)
    assert [read["read_id"] for read in reads] == ids
    assert [read["method"] for read in reads] == [
        "GetLoan",
        "ExplainLoan",
        "CompareLoan",
        "ListLoans",
        "ListLoanEvents",
        "GetTrialBalance",
        "ProveEvent",
    ]
    assert {read["reader"] for read in reads} == {"person/zhao"}
    assert [read["purpose"] for read in reads] == ["yearly audit", *[""] * 6]
    assert no_ids == ["", ""]
    assert json.loads(reads[0]["request_json"])["effectiveOn"] == DAY


async def test_the_same_question_has_the_same_answer_later(ledger: Stub) -> None:
    """A loan as it was told, after money came; what is about the log's end is not told again."""
    zhao, audit = ledger("person/zhao"), ledger("person/zhao", LedgerAuditServiceStub)
    loan = await id_of(zhao.GetLoan(LOAN))
    compared = await id_of(zhao.CompareLoan(pb.CompareLoanRequest(loan_id="L-1")))
    proof = await id_of(audit.ProveEvent(EVENT))
    money = pb.PostRepaymentRequest(
        request_id="money-2", loan_id="L-1", value_on=DAY, amount=Money(amount_minor=5)
    )
    money.amount.currency = "CNY"
    await ledger("service/payments").PostRepayment(money)

    for read_id in (loan, compared):
        again = await audit.RepeatRead(audit_pb.RepeatReadRequest(read_id=read_id))
        assert again.same
    with pytest.raises(LendingError, match="ProveEvent") as refused:
        await audit.RepeatRead(audit_pb.RepeatReadRequest(read_id=proof))
    assert refused.value.reason == "READ_NOT_REPEATABLE"


async def test_other_readers_are_recorded_where_they_say_so(ledger: Stub, tmp_path: Path) -> None:
    """Services and staff are not; by a gateway an auditor is; nobody is recorded as another."""
    qian, gateway = ledger("person/qian"), ledger("service/back-office")
    assert await id_of(qian.GetLoan(LOAN)) == ""
    assert await id_of(ledger("service/risk").GetLoan(LOAN)) == ""
    assert await id_of(gateway.GetLoan(LOAN, metadata=[("x-duebook-person", "qian")])) == ""
    said = await id_of(qian.GetLoan(LOAN, metadata=[("duebook-reader", "person/qian")]))
    through = await id_of(gateway.GetLoan(LOAN, metadata=[("x-duebook-person", "zhao")]))
    with pytest.raises(LendingError) as refused:
        await qian.GetLoan(LOAN, metadata=[("duebook-reader", "person/zhao")])

    assert refused.value.reason == "ACTOR_IS_NOT_CALLER"
    reads = [(read["read_id"], read["reader"]) for read in recorded(tmp_path)]
    assert reads == [(said, "person/qian"), (through, "person/zhao")]
