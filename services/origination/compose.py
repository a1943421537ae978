"""Put origination together: its records, risk and ledger as others' services."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Sequence

import grpc
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from lending.origination.v1 import origination_service_pb2 as pb
from lending.origination.v1.origination_service_pb2_grpc import (
    add_OriginationServiceServicer_to_server,
)
from lending.risk.v1.risk_service_pb2_grpc import RiskServiceStub

from services.origination.application.steps import Steps
from services.origination.config import OriginationSettings
from services.origination.entrypoints.grpc_service import OriginationService
from shared.runtime.database import open_database
from shared.runtime.grpc_client import open_channel
from shared.runtime.grpc_server import serve
from shared.runtime.records import Records
from shared.runtime.telemetry import configure_logging, configure_tracing

APPLICATION_ID = 0x4455454F
"""Marks a SQLite file as origination's: "DUEO"."""


async def serve_origination(settings: OriginationSettings) -> None:
    """Run origination until it is told to stop."""
    configure_logging("origination", settings.log_level)
    configure_tracing("origination", settings.otlp_endpoint)
    products = tomllib.loads(settings.products_file.read_text(encoding="utf-8"))
    records = Records(open_database(settings.database_url))
    await records.create(APPLICATION_ID)
    ledger = open_channel(settings.ledger_target, settings.deadline_seconds)
    risk = open_channel(settings.risk_target, settings.deadline_seconds)
    steps = Steps(records, LedgerServiceStub(ledger), RiskServiceStub(risk), products)
    service = OriginationService(steps, settings.reading_seconds_min)

    def register(server: grpc.aio.Server) -> Sequence[str]:
        add_OriginationServiceServicer_to_server(service, server)
        return [pb.DESCRIPTOR.services_by_name["OriginationService"].full_name]

    async def relay(stop: asyncio.Event) -> None:
        await records.relay(settings.nats_url, "origination-relay", stop)

    work = [relay, steps.resume]
    await serve(settings, service="origination", register=register, background=work)
    await ledger.close()
    await risk.close()
    await records.engine.dispose()
