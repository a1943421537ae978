"""One trace from the caller's span through the stored event and NATS to the consumer's work."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal
from pathlib import Path

from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.ledger.compose import serve_ledger
from services.ledger.config import LedgerSettings
from services.ledger.domain.terms import RepaymentMethod, Terms
from services.ledger.wire_terms import terms_message
from shared.kernel.dates import DayCount
from shared.runtime.bus import Bus
from shared.runtime.database import open_database
from shared.runtime.grpc_client import open_channel
from shared.runtime.nats_server import start_nats
from shared.runtime.records import Records, Work
from shared.runtime.telemetry import configure_tracing, span
from shared.subscriber.event import Event
from shared.subscriber.inbox import create_inbox
from shared.subscriber.subscriber import Subscriber
from tests.system.processes import free_port

TERMS = Terms(
    currency="CNY",
    principal_minor=120_000,
    rate_annual=Decimal("0.12"),
    method=RepaymentMethod.BULLET,
    day_count=DayCount.ACT_365_FIXED,
    instalments=1,
    months_per_instalment=1,
    first_due_on=date(2026, 2, 5),
    grace_days=3,
    penalty_rate_annual=Decimal("0"),
)


async def post_one_repayment(port: int) -> None:
    """Lend, and repay a part inside the caller's own span."""
    channel = open_channel(f"127.0.0.1:{port}")
    ledger = LedgerServiceStub(channel)
    on, amount = "2026-01-05", Money(amount_minor=120_000, currency="CNY")
    day = pb.AdvanceBusinessDateRequest(request_id="day-1", to=on)
    await ledger.AdvanceBusinessDate(day, wait_for_ready=True)
    loan = {"loan_id": "L-1", "borrower_ref": "B-1", "product": "p"}
    terms = terms_message(TERMS)
    await ledger.OpenLoan(pb.OpenLoanRequest(request_id="open-1", terms=terms, **loan))
    paid_out = {"request_id": "out-1", "loan_id": "L-1", "value_on": on, "amount": amount}
    await ledger.DisburseLoan(pb.DisburseLoanRequest(**paid_out))
    with span("the caller"):
        part = Money(amount_minor=500, currency="CNY")
        paid = {"request_id": "pay-1", "loan_id": "L-1", "value_on": on, "amount": part}
        await ledger.PostRepayment(pb.PostRepaymentRequest(**paid))
    await channel.close()


async def test_a_repayment_is_one_trace(tmp_path: Path) -> None:
    """Caller, rpc and consumer are spans of the same trace."""
    exporter, stop, done = InMemorySpanExporter(), asyncio.Event(), asyncio.Event()
    configure_tracing("test", exporter=exporter)
    port, nats_port = free_port(), free_port()
    nats = start_nats(tmp_path / "nats", nats_port)
    settings = LedgerSettings(
        grpc_port=port,
        metrics_port=0,
        nats_url=f"nats://127.0.0.1:{nats_port}",
        database_url=f"sqlite+aiosqlite:///{tmp_path}/ledger.db",
    )

    async def hear(event: Event, _: Work) -> None:
        if event.type == "REPAYMENT_POSTED":
            done.set()

    bus = await Bus.connect(settings.nats_url, "test")
    records = Records(open_database(f"sqlite+aiosqlite:///{tmp_path}/test.db"))
    await create_inbox(records.engine)
    ledger = asyncio.ensure_future(serve_ledger(settings, stop))
    consumer = asyncio.ensure_future(Subscriber(bus, "test", records.work, hear).run(stop))
    await post_one_repayment(port)
    await asyncio.wait_for(done.wait(), 15)
    stop.set()
    await asyncio.gather(ledger, consumer)
    await bus.close()
    await records.engine.dispose()
    nats.kill()

    names = {
        "the caller",
        "/lending.ledger.v1.LedgerService/PostRepayment",
        "consume lending.v1.delinquency.repayment_posted.L-1",
    }
    found = [s for s in exporter.get_finished_spans() if s.name in names]
    assert {s.name for s in found} == names
    assert len({s.context.trace_id for s in found}) == 1
