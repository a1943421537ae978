"""Collections in this process: real records on SQLite, real outbox folder, a ledger by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lending.collections.v1 import recovery_service_pb2 as claims_pb
from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import events_pb2, ledger_service_pb2, loan_pb2
from lending.risk.v1 import affordability_service_pb2

from services.collections import wire
from services.collections.compose import APPLICATION_ID, House, build, open_records
from services.collections.config import CollectionsSettings
from services.collections.entrypoints.recovery_service import RecoveryService
from shared.kernel.errors import LendingError
from shared.runtime.reading import Message
from shared.subscriber.chain import GENESIS
from shared.subscriber.event import Event

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)


@dataclass
class LedgerByHand:
    """Remembers the commands it was given; refuses those that `refusals` names by method."""

    on: str = "2026-02-10"
    given: list[Any] = field(default_factory=list)
    refusals: dict[str, LendingError] = field(default_factory=dict)

    async def GetBusinessDate(
        self, request: Any, timeout: float = 0
    ) -> ledger_service_pb2.BusinessDate:
        return ledger_service_pb2.BusinessDate(on=self.on)

    async def GetLoan(self, request: Any) -> loan_pb2.Loan:
        return loan_pb2.Loan(loan_id=request.loan_id, payoff_minor=100_000)

    async def ListLoanEvents(self, request: Any) -> ledger_service_pb2.ListLoanEventsResponse:
        answer = ledger_service_pb2.ListLoanEventsResponse()
        answer.events.add(version=1, topic="lending.ledger.LoanOpened", sha256="0" * 64)
        return answer

    def __getattr__(self, method: str) -> Any:
        async def command(request: Any) -> loan_pb2.Loan:
            if method in self.refusals:
                raise self.refusals[method]
            if not getattr(request, "validate_only", False):
                self.given.append(request)
            return loan_pb2.Loan(loan_id=request.loan_id)

        return command


@dataclass
class RiskByHand:
    """Says what it is told to say of every plan, or fails; remembers what it was asked."""

    outcome: str = "AFFORDABLE"
    failure: LendingError | None = None
    asked: list[Any] = field(default_factory=list)

    async def AssessAffordability(
        self, request: Any, timeout: float = 0
    ) -> affordability_service_pb2.AffordabilityAssessment:
        self.asked.append(request)
        if self.failure is not None:
            raise self.failure
        return affordability_service_pb2.AffordabilityAssessment(
            outcome=f"AFFORDABILITY_OUTCOME_{self.outcome}", policy_version="rules/1"
        )


@asynccontextmanager
async def a_house(
    folder: Path,
    ledger: LedgerByHand | None = None,
    risk: RiskByHand | None = None,
    **settings: Any,
) -> AsyncIterator[House]:
    """Open a house on a folder; opened again it remembers."""
    settings.setdefault("database_url", f"sqlite+aiosqlite:///{folder}/collections.db")
    chosen = CollectionsSettings(outbox_folder=folder / "outbox", **settings)
    records = open_records(chosen)
    await records.create(APPLICATION_ID)
    house = build(chosen, records, ledger or LedgerByHand(), risk or RiskByHand())
    yield house
    await records.engine.dispose()


def event(
    sequence: int,
    type_: str,
    on: str,
    late: int,
    *,
    loan: str = "L-1",
    borrower: str = "B-1",
    bucket: str = "",
    amount: int = 0,
    currency: str = "CNY",
    arrears: int = 106_619,
) -> events_pb2.DelinquencyEvent:
    """Return a delinquency event as the ledger publishes it; in grace up to three days."""
    month = bucket or ("M0" if not late else f"M{min(7, (late + 29) // 30)}")
    return events_pb2.DelinquencyEvent(
        loan_id=loan,
        borrower_ref=borrower,
        sequence=sequence,
        type=f"DELINQUENCY_EVENT_TYPE_{type_}",
        effective_on=on,
        recorded_at=f"{on}T01:00:00+00:00",
        amount_minor=amount,
        currency=currency,
        delinquency=loan_pb2.Delinquency(
            days_past_due=late,
            minor=0 < late <= 3,
            major=late > 3,
            full=late > 0,
            buckets={"m": month},
            principal_overdue_minor=arrears if late else 0,
        ),
    )


async def hear(house: House, *said: events_pb2.DelinquencyEvent, replay: bool = False) -> None:
    """Let a house hear events, and send what follows."""
    for one in said:
        heard = Event(
            id=f"{one.loan_id}/{one.sequence}",
            type=events_pb2.DelinquencyEventType.Name(one.type)[23:],
            loan_id=one.loan_id,
            sequence=one.sequence,
            previous_hash=GENESIS,
            hash=GENESIS,
            body=one,
            message=Message("", one.SerializeToString(), {}, one.sequence, NOON),
            replay=replay,
        )
        async with house.desk.records.work() as work:
            await house.desk.hear(wire.heard(heard.body), work, muted=heard.replay)
        await house.desk.sending.send_due()


async def filed_claim(house: House, cover: Money) -> RecoveryService:
    """File claim-1 against the guarantor of L-1 for a cover; return who answers it."""
    service = RecoveryService(house.claiming, house.escalating, house.placing)
    opened = claims_pb.OpenClaimRequest(
        request_id="claim-1",
        loan_id="L-1",
        standin=claims_pb.STANDIN_GUARANTOR,
        standin_ref="G-1",
        cover=cover,
        valid_until="2027-01-01",
    )
    filed = claims_pb.FileClaimRequest(
        request_id="file-1",
        claim_id="claim-1",
        filed_on="2026-02-10",
        amount=cover,
        filed_by="officer",
    )
    await service.OpenClaim(opened, None)
    await service.FileClaim(filed, None)
    return service
