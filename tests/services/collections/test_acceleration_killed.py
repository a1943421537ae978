"""Killed while the ledger is being told that everything is due: it is told once, by one id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from lending.collections.v1 import recovery_service_pb2 as pb
from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.ledger.v1 import loan_pb2
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from services.collections.compose import House
from services.collections.domain.task import Task
from services.collections.entrypoints.recovery_service import RecoveryService
from shared.kernel.errors import LendingError
from shared.runtime.grpc_client import open_channel
from shared.runtime.grpc_errors import ServiceUnavailable
from tests.services.collections.house import a_house, event, hear
from tests.services.collections.test_ladder import checked, write
from tests.system.one_ledger import Ledger, ledger_on

TERMS = loan_pb2.Terms(
    currency="CNY",
    principal_minor=1_200_000,
    rate_annual="0.12",
    method=loan_pb2.REPAYMENT_METHOD_LEVEL_INSTALMENT,
    day_count=loan_pb2.DAY_COUNT_THIRTY_360,
    instalments=12,
    months_per_instalment=1,
    first_due_on="2026-02-05",
    grace_days=3,
    penalty_rate_annual="0.18",
)
LOAN = {"loan_id": "L-1"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with ledger_on(f"sqlite+aiosqlite:///{tmp_path}/ledger.db", tmp_path) as running:
        yield running


@dataclass
class KilledWhileTelling:
    """The ledger's stub of a process that dies before its request leaves, or before the answer."""

    stub: Any
    heard: bool
    ids: list[str] = field(default_factory=list)

    async def AccelerateLoan(self, request: ledger_pb.AccelerateLoanRequest) -> None:
        self.ids.append(request.request_id)
        if self.heard:
            await self.stub.AccelerateLoan(request)
        raise ServiceUnavailable("killed")

    def __getattr__(self, method: str) -> Any:
        return getattr(self.stub, method)


async def paid_out(stub: Any) -> None:
    """A loan of January of which nothing was paid by 6 July: 151 days past due."""
    await stub.AdvanceBusinessDate(
        ledger_pb.AdvanceBusinessDateRequest(request_id="day-1", to="2026-01-05")
    )
    opened = {"borrower_ref": "B-1", "product": "p", "terms": TERMS}
    await stub.OpenLoan(ledger_pb.OpenLoanRequest(request_id="open-1", **LOAN, **opened))
    amount = Money(currency="CNY", amount_minor=1_200_000)
    out = ledger_pb.DisburseLoanRequest(
        request_id="pay-1", **LOAN, value_on="2026-01-05", amount=amount
    )
    await stub.DisburseLoan(out)
    await stub.AdvanceBusinessDate(
        ledger_pb.AdvanceBusinessDateRequest(request_id="day-2", to="2026-07-06")
    )


def recovery(house: House) -> RecoveryService:
    return RecoveryService(house.claiming, house.escalating, house.placing)


async def proposed(house: House, number: int, step: str, on: str) -> None:
    request = pb.ProposeLegalStepRequest(
        request_id=f"propose-{number}", **LOAN, step=f"LEGAL_STEP_{step}", on=on, proposed_by="o-1"
    )
    await recovery(house).ProposeLegalStep(request, None)


def approval(number: int) -> pb.ApproveLegalStepRequest:
    return pb.ApproveLegalStepRequest(request_id=f"approve-{number}", **LOAN, approved_by="o-2")


async def told_by_letter(house: House) -> None:
    """Called and written to, looked at, and told in May that everything would fall due."""
    await hear(house, event(1, "BUCKET_CHANGED", "2026-05-07", 91))
    for day in range(3):
        await write(house, day, datetime(2026, 5, 7 + day, 3, tzinfo=UTC))
    await checked(house, "2026-05-07")
    await proposed(house, 1, "ACCELERATION_NOTICE", "2026-05-07")
    await recovery(house).ApproveLegalStep(approval(1), None)
    await house.desk.sending.send_due()
    await hear(house, event(2, "BUCKET_CHANGED", "2026-07-06", 151))
    await checked(house, "2026-07-06")
    await proposed(house, 2, "ACCELERATION", "2026-07-06")


@pytest.mark.parametrize("heard", [False, True])
async def test_the_ledger_is_told_once(tmp_path: Path, ledger: Ledger, heard: bool) -> None:
    """Whether the ledger heard it or not, the next process goes on under the same request id."""
    channel = open_channel(f"127.0.0.1:{ledger.service.port}", 10.0)
    stub = LedgerServiceStub(channel)
    await paid_out(stub)
    dying = KilledWhileTelling(stub, heard)
    async with a_house(tmp_path, dying) as house:
        await told_by_letter(house)
        with pytest.raises(ServiceUnavailable):
            await recovery(house).ApproveLegalStep(approval(2), None)

    async with a_house(tmp_path, stub) as house:
        await house.watching.look()
        again = await recovery(house).ApproveLegalStep(approval(2), None)
        await house.watching.look()

    events = await stub.ListLoanEvents(ledger_pb.ListLoanEventsRequest(**LOAN))
    loan = await stub.GetLoan(ledger_pb.GetLoanRequest(**LOAN))
    await channel.close()
    topics = [one.topic.rpartition(".")[2] for one in events.events]
    assert topics.count("LoanAccelerated") == 1
    assert loan.accelerated_on == "2026-07-06"
    last = again.steps[-1]
    assert (last.ledger_outcome, [last.ledger_request_id]) == ("DONE", dying.ids)


async def test_what_the_ledger_refuses_is_work_for_somebody(tmp_path: Path, ledger: Ledger) -> None:
    """Paid in the ledger before collections heard of it: nothing is declared, a person looks."""
    channel = open_channel(f"127.0.0.1:{ledger.service.port}", 10.0)
    stub = LedgerServiceStub(channel)
    await paid_out(stub)
    paid = ledger_pb.PostRepaymentRequest(
        request_id="paid-1",
        **LOAN,
        value_on="2026-07-06",
        amount=Money(currency="CNY", amount_minor=700_000),
    )
    async with a_house(tmp_path, KilledWhileTelling(stub, heard=False)) as house:
        await told_by_letter(house)
        with pytest.raises(LendingError):
            await recovery(house).ApproveLegalStep(approval(2), None)
        await stub.PostRepayment(paid)

    async with a_house(tmp_path, stub) as house:
        await house.watching.look()
        shown = await recovery(house).GetLegalMatter(pb.GetLegalMatterRequest(**LOAN), None)
        async with house.desk.records.work() as work:
            tasks = await work.find(Task, state="OPEN")

    loan = await stub.GetLoan(ledger_pb.GetLoanRequest(**LOAN))
    await channel.close()
    last = shown.steps[-1]
    assert (last.ledger_outcome, last.refusal) == ("REFUSED", "NOT_IN_ARREARS")
    assert ("ACCELERATION_REFUSED", "NOT_IN_ARREARS", date(2026, 7, 8)) in {
        (task.kind, task.note, task.due_on) for task in tasks
    }
    assert loan.accelerated_on == ""
