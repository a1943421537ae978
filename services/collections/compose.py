"""Put collections together: cases, the delinquency stream, the ledger, the outbox."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Sequence

import grpc
import msgspec
from lending.collections.v1 import collections_service_pb2 as pb
from lending.collections.v1.collections_service_pb2_grpc import (
    add_CollectionsServiceServicer_to_server,
)
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from services.collections.adapters.local_outbox import LocalOutbox
from services.collections.application.desk import Desk
from services.collections.config import CollectionsSettings
from services.collections.domain.contact_gate import Policy
from services.collections.entrypoints.grpc_service import CollectionsService
from shared.runtime.bus import Bus
from shared.runtime.database import open_database
from shared.runtime.grpc_client import open_channel
from shared.runtime.grpc_server import serve
from shared.runtime.records import Records
from shared.runtime.telemetry import configure_logging, configure_tracing
from shared.subscriber.inbox import create_inbox
from shared.subscriber.subscriber import Subscriber

APPLICATION_ID = 0x44554543
"""Marks a SQLite file as collections': "DUEC"."""

HEARD = frozenset(
    (
        "DELINQUENCY_STARTED",
        "GRACE_ENTERED",
        "GRACE_EXPIRED",
        "INSTALMENT_MISSED",
        "BUCKET_CHANGED",
        "PARTIALLY_CURED",
        "CURED",
        "REPAYMENT_POSTED",
        "REPAYMENT_REVERSED",
        "TIMELINE_RESTATED",
        "RESTRUCTURED",
        "CHARGED_OFF",
        "RECOVERY_POSTED",
        "SETTLED",
    )
)
"""Everything but instalments that merely fall due."""


async def serve_collections(settings: CollectionsSettings) -> None:
    """Run collections until it is told to stop."""
    configure_logging("collections", settings.log_level)
    configure_tracing("collections", settings.otlp_endpoint)
    policy = msgspec.convert(tomllib.loads(settings.policy_file.read_text("utf-8")), Policy)
    records = Records(open_database(settings.database_url))
    await records.create(APPLICATION_ID)
    await create_inbox(records.engine)
    channel = open_channel(settings.ledger_target, settings.deadline_seconds)
    outbox = LocalOutbox(settings.outbox_folder)
    desk = Desk(records, LedgerServiceStub(channel), outbox, policy)
    await desk.load()
    service = CollectionsService(desk)

    def register(server: grpc.aio.Server) -> Sequence[str]:
        add_CollectionsServiceServicer_to_server(service, server)
        return [pb.DESCRIPTOR.services_by_name["CollectionsService"].full_name]

    async def relay(stop: asyncio.Event) -> None:
        await records.relay(settings.nats_url, "collections-relay", stop)

    async def hear(stop: asyncio.Event) -> None:
        bus = await Bus.connect_unless(stop, settings.nats_url, "collections")
        if bus is not None:
            await Subscriber(bus, "collections", records.work, desk.hear, types=HEARD).run(stop)
            await bus.close()

    work = [relay, hear, desk.watch]
    await serve(settings, service="collections", register=register, background=work)
    await channel.close()
    await records.engine.dispose()
