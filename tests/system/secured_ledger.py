"""A ledger under the production profile with one loan, and a stub for whoever has a role."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1 import ledger_service_pb2_grpc as ledger_grpc

from services.ledger.wire_terms import terms_message
from shared.runtime.grpc_client import open_channel
from tests.services.ledger.domain.desk import TERMS
from tests.shared.runtime.secured import Secured
from tests.system.processes import Service, free_port

PAYMENTS = '"service/payments" = ["payments", "end_of_day"]'
DAY = "2026-01-05"

Stub = Callable[..., Any]


@asynccontextmanager
async def secured_ledger(folder: Path, *callers: str) -> AsyncIterator[Stub]:
    """Start a ledger with loan L-1 and a repayment; give stubs by identity and kind."""
    secured, port = Secured.make(folder / "certs", PAYMENTS, *callers), free_port()
    environment = {
        "LEDGER_GRPC_PORT": str(port),
        "LEDGER_METRICS_PORT": "0",
        "LEDGER_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/ledger.db",
        "LEDGER_NATS_URL": secured.nats_url(free_port(), "service/ledger"),
        **secured.environment("LEDGER", "service/ledger"),
    }
    process = Service("ledger", port, environment, folder / "ledger.log")
    process.start()
    async with AsyncExitStack() as stack:
        stack.callback(process.stop)

        def stub(identity: str, kind: Any = ledger_grpc.LedgerServiceStub) -> Any:
            channel = open_channel(f"localhost:{port}", 60.0, secured.tls(identity))
            stack.push_async_callback(channel.close)
            return kind(channel)

        await _lend(stub("service/origination"), stub("service/payments"))
        yield stub


async def _lend(origination: Any, payments: Any) -> None:
    amount = Money(amount_minor=TERMS.principal_minor, currency="CNY")
    await payments.AdvanceBusinessDate(pb.AdvanceBusinessDateRequest(request_id="day-1", to=DAY))
    await origination.OpenLoan(
        pb.OpenLoanRequest(
            request_id="open-1",
            loan_id="L-1",
            borrower_ref="B",
            product="p",
            terms=terms_message(TERMS),
        )
    )
    await origination.DisburseLoan(
        pb.DisburseLoanRequest(request_id="pay-1", loan_id="L-1", value_on=DAY, amount=amount)
    )
    await payments.PostRepayment(
        pb.PostRepaymentRequest(
            request_id="money-1",
            loan_id="L-1",
            value_on=DAY,
            amount=Money(amount_minor=1000, currency="CNY"),
        )
    )
