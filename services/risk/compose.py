"""Put risk together: policies and models from files, decisions in its own database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
from lending.ledger.v1.audit_service_pb2_grpc import LedgerAuditServiceStub
from lending.risk.v1 import affordability_service_pb2 as affordability_pb
from lending.risk.v1 import risk_service_pb2 as pb
from lending.risk.v1.affordability_service_pb2_grpc import (
    add_AffordabilityServiceServicer_to_server,
)
from lending.risk.v1.risk_service_pb2_grpc import add_RiskServiceServicer_to_server

from services.risk import wire, wire_decisions
from services.risk.adapters.application_stream import follow_applications
from services.risk.adapters.artefacts import (
    read_book_rules,
    read_models,
    read_plan_policies,
    read_policies,
    read_toml,
)
from services.risk.adapters.sources import INCOMES, REPORTS, source_of
from services.risk.application.applications import Applications
from services.risk.application.book import reserve_earlier
from services.risk.application.deciding import Deciding
from services.risk.application.decision_desk import DecisionDesk
from services.risk.application.exposures import Exposures
from services.risk.application.informing import AskedOnce, Informing
from services.risk.application.plans import Plans
from services.risk.application.portfolio import Portfolios
from services.risk.application.watch import Watch
from services.risk.config import APPLICATION_ID, RiskSettings
from services.risk.domain.indicators import WarningRules
from services.risk.entrypoints.affordability_service import AffordabilityService
from services.risk.entrypoints.grpc_service import RiskService
from shared.runtime.bus import Bus
from shared.runtime.database import open_database
from shared.runtime.grpc_client import open_channel
from shared.runtime.grpc_server import ByName, serve
from shared.runtime.records import Records, Work
from shared.runtime.telemetry import configure_logging, configure_tracing
from shared.subscriber.checkpoints import Checkpoints, LedgerProofs
from shared.subscriber.event import Event
from shared.subscriber.inbox import create_inbox
from shared.subscriber.subscriber import Subscriber

HEARD = frozenset(
    (
        "BUCKET_CHANGED",
        "CURED",
        "DELINQUENCY_STARTED",
        "DISBURSEMENT_RETURNED",
        "GRACE_ENTERED",
        "GRACE_EXPIRED",
        "INSTALMENT_DUE",
        "PARTIALLY_CURED",
        "REPAYMENT_POSTED",
        "REPAYMENT_REVERSED",
        "RESTRUCTURED",
        "SETTLED",
        "TIMELINE_RESTATED",
        "TRANSFERRED",
    )
)
"""What early warning looks at, and what ends an exposure."""


async def _open_book(database_url: str) -> Exposures:
    """Open the database, with the tables that it lacks and what was approved before it had them."""
    book = Exposures(Records(open_database(database_url)))
    await book.records.create(APPLICATION_ID)
    await create_inbox(book.records.engine)
    await book.create(APPLICATION_ID)
    async with book.work() as work:
        await reserve_earlier(work, book)
    return book


def _subscriber(bus: Bus, watch: Watch, checkpoints: Checkpoints | None) -> Subscriber[Work]:
    """Return what follows the delinquency stream for early warnings."""

    async def hear(event: Event, work: Work) -> None:
        await watch.hear(wire.heard(event.body, datetime.now(UTC)), work)

    return Subscriber(
        *(bus, "risk", watch.book.work, hear, watch.restate),
        types=HEARD,
        checkpoints=checkpoints,
    )


def _informing(settings: RiskSettings, deciding: Deciding) -> Informing:
    """Return what asks the sources that the settings name."""
    bureau = settings.bureau_folder, settings.bureau_url, settings.bureau_timeout_seconds
    incomes = settings.income_folder, settings.income_url, settings.income_timeout_seconds
    sources = source_of(REPORTS, *bureau), source_of(INCOMES, *incomes)
    return Informing.of(deciding.records, deciding.policies, *sources)


def _plans(settings: RiskSettings, watch: Watch, informing: Informing) -> Plans:
    """Return what assesses hardship plans, by the same source of incomes."""
    policies = read_plan_policies(settings.affordability_folder)
    return Plans(policies, watch, AskedOnce(informing.incomes.source))


@asynccontextmanager
async def _checkpoints(settings: RiskSettings) -> AsyncIterator[Checkpoints | None]:
    """Hold the ledger's checkpoints against each other; it is asked for proofs that are missing."""
    channel = open_channel(settings.ledger_target, settings.deadline_seconds, settings.tls())
    proofs = LedgerProofs(LedgerAuditServiceStub(channel))
    yield Checkpoints.of(settings.ledger_verifier_keys, proofs)
    await channel.close()


async def serve_risk(settings: RiskSettings) -> None:
    """Run risk until it is told to stop."""
    configure_logging("risk", settings.log_level)
    configure_tracing("risk", settings.otlp_endpoint)
    rules = msgspec.convert(read_toml(settings.warning_file), WarningRules)
    book = await _open_book(settings.database_url)
    records = book.records
    policies, models = read_policies(settings.policy_folder), read_models(settings.model_folder)
    watch = Watch(records, rules, book, wire.alert_told)
    await watch.load()
    applications = Applications(book, watch)
    portfolios = Portfolios(book, *read_book_rules(settings.loss_file, settings.sharing_file))
    deciding = Deciding(book, policies, models)
    informing = _informing(settings, deciding)
    desk = DecisionDesk(deciding, wire_decisions, watch, informing)
    service = RiskService(records, desk, watch, portfolios)
    plans = _plans(settings, watch, informing)

    def register(server: ByName) -> Sequence[str]:
        add_RiskServiceServicer_to_server(service, server)
        add_AffordabilityServiceServicer_to_server(AffordabilityService(records, plans), server)
        named = (pb, "RiskService"), (affordability_pb, "AffordabilityService")
        return [one.DESCRIPTOR.services_by_name[name].full_name for one, name in named]

    async def relay(stop: asyncio.Event) -> None:
        await records.relay(settings.nats_url, "risk-relay", stop)

    async def hear(stop: asyncio.Event) -> None:
        bus = await Bus.connect_unless(stop, settings.nats_url, "risk")
        if bus is not None:
            async with _checkpoints(settings) as checkpoints:
                await _subscriber(bus, watch, checkpoints).run(stop)
            await bus.close()

    async def follow(stop: asyncio.Event) -> None:
        bus = await Bus.connect_unless(stop, settings.nats_url, "risk-applications")
        if bus is not None:
            await follow_applications(bus, applications, stop)
            await bus.close()

    await serve(settings, service="risk", register=register, background=[relay, hear, follow])
    await records.engine.dispose()
