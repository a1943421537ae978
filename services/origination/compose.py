"""Put origination together: its records, risk and ledger as others' services."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from lending.origination.v1 import origination_service_pb2 as pb
from lending.origination.v1 import security_service_pb2 as security_pb
from lending.origination.v1.origination_service_pb2_grpc import (
    add_OriginationServiceServicer_to_server,
)
from lending.origination.v1.security_service_pb2_grpc import add_SecurityServiceServicer_to_server
from lending.risk.v1.risk_service_pb2_grpc import RiskServiceStub

from services.origination import wire, wire_draft, wire_events, wire_security
from services.origination.adapters.documents import to_html, to_pdf
from services.origination.adapters.local_checks import BankAccountCheck, IdentityNumberCheck
from services.origination.adapters.payouts import FolderPayouts, HttpPayouts
from services.origination.adapters.policy_file import read_policies
from services.origination.application.cancelling import Cancelling
from services.origination.application.contracting import Contracting
from services.origination.application.deciding import Deciding
from services.origination.application.desk import Desk, unhindered
from services.origination.application.disbursing import Disbursing
from services.origination.application.disclosing import Disclosing
from services.origination.application.filling import fill_pledges
from services.origination.application.offering import sweep
from services.origination.application.personal import PERSONAL
from services.origination.application.ports import Payouts
from services.origination.application.redirecting import Redirecting
from services.origination.application.resolving import Resolving
from services.origination.application.securing import Securing
from services.origination.application.submitting import Submitting
from services.origination.config import OriginationSettings
from services.origination.entrypoints.grpc_service import OriginationService, Rooms
from services.origination.entrypoints.security_service import SecurityService
from shared.runtime.database import open_database
from shared.runtime.grpc_client import open_channel
from shared.runtime.grpc_server import ByName, serve
from shared.runtime.records import Records
from shared.runtime.telemetry import configure_logging, configure_tracing
from shared.runtime.vault import VaultKeyMissing, open_vault

APPLICATION_ID = 0x4455454F
"""Marks a SQLite file as origination's: "DUEO"."""
RESUME_SECONDS, SWEEP_SECONDS, FILL_SECONDS = 2.0, 30.0, 300.0
CHECKERS = {"identity": IdentityNumberCheck(), "bank_account": BankAccountCheck()}
RENDERERS = {"TEXT": lambda text, lang, sha256: text.encode(), "HTML": to_html, "PDF": to_pdf}


async def serve_origination(settings: OriginationSettings) -> None:
    """Run origination until it is told to stop."""
    configure_logging("origination", settings.log_level)
    configure_tracing("origination", settings.otlp_endpoint)
    records = open_records(settings)
    await records.create(APPLICATION_ID)
    ledger = open_channel(settings.ledger_target, settings.deadline_seconds, settings.tls())
    risk = open_channel(settings.risk_target, settings.deadline_seconds, settings.tls())
    rooms = build(settings, records, LedgerServiceStub(ledger), RiskServiceStub(risk))

    def register(server: ByName) -> Sequence[str]:
        add_OriginationServiceServicer_to_server(OriginationService(rooms, RENDERERS), server)
        add_SecurityServiceServicer_to_server(SecurityService(rooms.securing), server)
        return [
            pb.DESCRIPTOR.services_by_name["OriginationService"].full_name,
            security_pb.DESCRIPTOR.services_by_name["SecurityService"].full_name,
        ]

    async def relay(stop: asyncio.Event) -> None:
        await records.relay(settings.nats_url, "origination-relay", stop)

    work = [
        relay,
        _again_and_again(lambda: fill_pledges(rooms.desk), FILL_SECONDS),
        _again_and_again(rooms.disbursing.resume),
        _again_and_again(rooms.cancelling.resume),
        _again_and_again(rooms.deciding.resume),
        _again_and_again(lambda: sweep(rooms.desk), SWEEP_SECONDS),
    ]
    await serve(settings, service="origination", register=register, background=work)
    await ledger.close()
    await risk.close()
    await records.engine.dispose()


def open_records(settings: OriginationSettings) -> Records:
    """
    Open the database, with a vault for what is personal.

    Raises:
        VaultKeyMissing: the production profile has no key to seal with.
    """
    file = settings.personal_key_file
    if file is None and settings.profile == "production":
        raise VaultKeyMissing("the production profile needs ORIGINATION_PERSONAL_KEY_FILE")
    vault = open_vault(file, PERSONAL) if file else None
    return Records(open_database(settings.database_url), vault=vault)


def build(settings: OriginationSettings, records: Records, ledger: Any, risk: Any) -> Rooms:
    """Put the use cases together."""
    policies, back = read_policies(settings.policies_file), settings.applied_days_back_max
    told = wire.application_message, wire_events.changed
    desk = Desk(records, ledger, policies, *told, applied_days_back_max=back)
    deciding = Deciding(desk, risk, CHECKERS)
    disclosing = Disclosing(desk, settings.reading_seconds_min)
    payouts: Payouts = FolderPayouts(settings.payout_folder)
    if settings.payout_url:
        payouts = HttpPayouts(settings.payout_url)
    disbursing = Disbursing(desk, payouts)
    return Rooms(
        desk=desk,
        deciding=deciding,
        disclosing=disclosing,
        contracting=Contracting(desk, disclosing),
        disbursing=disbursing,
        cancelling=Cancelling(desk),
        securing=Securing(desk, wire_security),
        redirecting=Redirecting(desk, deciding),
        resolving=Resolving(desk, disbursing),
        submitting=Submitting(desk, wire_draft),
    )


def _again_and_again(
    work: Callable[[], Awaitable[None]], seconds: float = RESUME_SECONDS
) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Return background work that is done at once and then every few seconds, come what may."""

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            await unhindered("background", work())
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), seconds)

    return run
