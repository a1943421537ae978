"""Put collections together: cases, the delinquency stream, the ledger, the ways to a borrower."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

from lending.collections.v1 import collections_service_pb2 as pb
from lending.collections.v1 import contact_service_pb2 as contact_pb
from lending.collections.v1 import recovery_service_pb2 as recovery_pb
from lending.collections.v1 import work_service_pb2 as work_pb
from lending.collections.v1.collections_service_pb2_grpc import (
    add_CollectionsServiceServicer_to_server,
)
from lending.collections.v1.contact_service_pb2_grpc import add_ContactServiceServicer_to_server
from lending.collections.v1.recovery_service_pb2_grpc import add_RecoveryServiceServicer_to_server
from lending.collections.v1.work_service_pb2_grpc import add_WorkServiceServicer_to_server
from lending.ledger.v1.audit_service_pb2_grpc import LedgerAuditServiceStub
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from lending.risk.v1.affordability_service_pb2_grpc import AffordabilityServiceStub

from services.collections import wire
from services.collections.adapters.local_outbox import LocalOutbox
from services.collections.adapters.policy_files import read_policies
from services.collections.adapters.smtp import SmtpChannel
from services.collections.adapters.webhook import WebhookChannel
from services.collections.adapters.wording import Templates
from services.collections.application.accelerating import Accelerating
from services.collections.application.assessing import Assessing
from services.collections.application.claiming import Claiming
from services.collections.application.clock import Clock
from services.collections.application.contacting import Contacting
from services.collections.application.debtors import Debtors
from services.collections.application.deciding import Deciding
from services.collections.application.desk import Desk
from services.collections.application.escalating import Escalating
from services.collections.application.orders import Orders
from services.collections.application.pausing import Pausing
from services.collections.application.personal import PERSONAL
from services.collections.application.placing import Placing
from services.collections.application.planning import Planning
from services.collections.application.ports import Ledger, Risk, SendingChannel
from services.collections.application.relief import Relief
from services.collections.application.reporting import Reporting
from services.collections.application.sending import Sending, carriers_of
from services.collections.application.settling import Settling
from services.collections.application.watching import Watching
from services.collections.application.working import Working
from services.collections.config import CollectionsSettings
from services.collections.domain.contact_rules import Channel
from services.collections.entrypoints.contact_service import ContactService
from services.collections.entrypoints.grpc_service import CollectionsService
from services.collections.entrypoints.recovery_service import RecoveryService
from services.collections.entrypoints.work_service import WorkService
from shared.runtime.bus import Bus
from shared.runtime.database import open_database
from shared.runtime.grpc_client import open_channel
from shared.runtime.grpc_server import ByName, serve
from shared.runtime.records import Records, Work
from shared.runtime.telemetry import configure_logging, configure_tracing
from shared.runtime.vault import VaultKeyMissing, open_vault
from shared.subscriber.checkpoints import Checkpoints, LedgerProofs
from shared.subscriber.event import Event
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
        "ACCELERATED",
        "ACCELERATION_WITHDRAWN",
    )
)
"""Everything but instalments that merely fall due."""


@dataclass(frozen=True, slots=True)
class House:
    """The parts of collections, wired."""

    desk: Desk
    debtors: Debtors
    planning: Planning
    watching: Watching
    relief: Relief
    claiming: Claiming
    escalating: Escalating
    placing: Placing


def channels(settings: CollectionsSettings) -> dict[Channel, SendingChannel]:
    """Return how each kind of message leaves; what has no carrier goes to the outbox folder."""
    folder: SendingChannel = LocalOutbox(settings.outbox_folder)
    ways = dict.fromkeys(Channel, folder)
    if settings.smtp_host:
        ways[Channel.EMAIL] = SmtpChannel(
            settings.smtp_host,
            settings.smtp_port,
            settings.smtp_sender,
            settings.smtp_starttls,
            settings.smtp_user,
            settings.smtp_password,
        )
    if settings.webhook_url:
        carrier = WebhookChannel(settings.webhook_url, settings.webhook_secret)
        ways[Channel.SMS] = ways[Channel.VOICE] = carrier
    return ways


def open_records(settings: CollectionsSettings) -> Records:
    """
    Open the database, with a vault for what is personal.

    Raises:
        VaultKeyMissing: the production profile has no key to seal with.
    """
    file = settings.personal_key_file
    if file is None and settings.profile == "production":
        raise VaultKeyMissing("the production profile needs COLLECTIONS_PERSONAL_KEY_FILE")
    vault = open_vault(file, PERSONAL) if file else None
    return Records(open_database(settings.database_url), vault=vault)


def build(settings: CollectionsSettings, records: Records, ledger: Ledger, risk: Risk) -> House:
    """Wire the parts."""
    clock = Clock((lambda: datetime.now(UTC)) if settings.clock == "wall" else None)
    contacting = Contacting(records, read_policies(settings.policy_folder), clock)
    ways = channels(settings)
    deciding = Deciding(contacting, ways, Templates(settings.creditor), clock)
    sending = Sending(records, contacting, deciding, carriers_of(ways), clock)
    desk = Desk(records, contacting, sending, wire.case_changed)
    sending.told = desk.told_sent
    orders = Orders(records, ledger, {})
    settling = Settling(desk, orders, ledger)
    planning = Planning(desk, orders, ledger, Assessing(risk), settling)
    orders.settle["plan"], orders.settle["settlement"] = planning.settle, settling.settle
    claiming = Claiming(desk, orders, ledger)
    orders.settle["claim"] = claiming.settle
    accelerating = Accelerating(desk, orders)
    orders.settle["acceleration"] = accelerating.settle
    escalating = Escalating(desk, claiming, ledger, accelerating, wire.case_evidence)
    placing, relief = Placing(desk, escalating), Relief(desk, Pausing(orders))
    orders.settle["relief"] = relief.settle
    debtors, watching = Debtors(desk, contacting), Watching(desk, orders, ledger, relief)
    return House(desk, debtors, planning, watching, relief, claiming, escalating, placing)


def register(house: House, server: ByName) -> list[str]:
    """Add the services to a server; return their full names."""
    desk = house.desk
    recovery = (house.claiming, house.escalating, house.placing)
    cases = CollectionsService(desk, house.planning, house.debtors)
    working = Working(desk.records, desk.contacting)
    today = desk.sending.clock.today
    add_CollectionsServiceServicer_to_server(cases, server)
    add_ContactServiceServicer_to_server(ContactService(house.debtors, house.relief), server)
    add_WorkServiceServicer_to_server(WorkService(working, Reporting(desk.records), today), server)
    add_RecoveryServiceServicer_to_server(RecoveryService(*recovery), server)
    files = (pb, contact_pb, work_pb, recovery_pb)
    return [
        service.full_name for file in files for service in file.DESCRIPTOR.services_by_name.values()
    ]


def subscriber(
    settings: CollectionsSettings, house: House, bus: Bus, checkpoints: Checkpoints | None = None
) -> Subscriber[Work]:
    """Return what follows the stream; in real life a new one takes history in without a word."""

    async def hear(event: Event, work: Work) -> None:
        await house.desk.hear(wire.heard(event.body), work, muted=event.replay)

    muted = settings.mute_history == "yes" or (
        settings.mute_history == "clock" and settings.clock == "wall"
    )
    return Subscriber(
        *(bus, "collections", house.desk.records.work, hear),
        types=HEARD,
        mute_history=muted,
        checkpoints=checkpoints,
    )


async def serve_collections(settings: CollectionsSettings) -> None:
    """Run collections until it is told to stop."""
    configure_logging("collections", settings.log_level)
    configure_tracing("collections", settings.otlp_endpoint)
    records = open_records(settings)
    await records.create(APPLICATION_ID)
    await create_inbox(records.engine)
    channel = open_channel(settings.ledger_target, settings.deadline_seconds, settings.tls())
    risk = open_channel(settings.risk_target, settings.deadline_seconds, settings.tls())
    house = build(settings, records, LedgerServiceStub(channel), AffordabilityServiceStub(risk))
    proofs = LedgerProofs(LedgerAuditServiceStub(channel))
    checkpoints = Checkpoints.of(settings.ledger_verifier_keys, proofs)

    async def relay(stop: asyncio.Event) -> None:
        await records.relay(settings.nats_url, "collections-relay", stop)

    async def hear(stop: asyncio.Event) -> None:
        bus = await Bus.connect_unless(stop, settings.nats_url, "collections")
        if bus is not None:
            await subscriber(settings, house, bus, checkpoints).run(stop)
            await bus.close()

    work = [relay, hear, house.desk.sending.run, house.watching.watch]
    await serve(
        settings,
        service="collections",
        register=lambda server: register(house, server),
        background=work,
    )
    await channel.close()
    await risk.close()
    await records.engine.dispose()
