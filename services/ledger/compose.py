"""Put a ledger together: one writer, one log, its API; followers have processes of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from lending.ledger.v1 import approval_service_pb2, audit_service_pb2
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1.approval_service_pb2_grpc import (
    add_LedgerApprovalServiceServicer_to_server,
)
from lending.ledger.v1.audit_service_pb2_grpc import add_LedgerAuditServiceServicer_to_server
from lending.ledger.v1.ledger_service_pb2_grpc import add_LedgerServiceServicer_to_server

from services.ledger.adapters.append_only import require_append_only
from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.follower_process import Followers, followers_of
from services.ledger.adapters.loan_lists import LoanLists
from services.ledger.adapters.read_models import ReadModels
from services.ledger.adapters.seals import Seals
from services.ledger.application.accruing import Accruals
from services.ledger.application.ageing import Ageing
from services.ledger.application.approving import ApprovalRules, Approvals
from services.ledger.application.evidencing import Evidence
from services.ledger.application.listing import LoanList
from services.ledger.application.posting import Writer
from services.ledger.application.proving import Prover
from services.ledger.application.recorded_reads import RecordedReads
from services.ledger.config import LedgerSettings
from services.ledger.domain.kept import KEEPER
from services.ledger.entrypoints.approval_service import ApprovalService
from services.ledger.entrypoints.audit_service import AuditService
from services.ledger.entrypoints.book_reads import BookReads
from services.ledger.entrypoints.grpc_service import LedgerService
from services.ledger.entrypoints.recording import AUDIT_READS, LEDGER_READS, LOAN_READS, Recorded
from services.ledger.wire_approvals import HELD, approval_rule
from shared.audit.checkpoints import load_signer
from shared.runtime.collector import collect_seldom
from shared.runtime.database import open_database
from shared.runtime.grpc_server import ByName, serve
from shared.runtime.telemetry import configure_logging, configure_tracing

SERVED = [
    approval_service_pb2.DESCRIPTOR.services_by_name["LedgerApprovalService"].full_name,
    pb.DESCRIPTOR.services_by_name["LedgerService"].full_name,
    audit_service_pb2.DESCRIPTOR.services_by_name["LedgerAuditService"].full_name,
]


async def serve_ledger(settings: LedgerSettings, stop: asyncio.Event | None = None) -> None:
    """Run a ledger until it is told to stop."""
    configure_logging("ledger", settings.log_level)
    configure_tracing("ledger", settings.otlp_endpoint)
    store = open_event_store(settings.database_url)
    if settings.profile == "production":
        require_append_only(store)
    models = ReadModels(open_database(settings.read_url()))
    await models.create()
    followers = followers_of(settings, store, models)
    writer = Writer(store, followers.wake)
    writer.accounts.bytes_max = KEEPER.lines.bytes_max = settings.cache_bytes(2)
    writer.load_business_date()
    collect_seldom()
    accruals = Accruals(writer, followers, models)
    ageing = Ageing(writer, followers, models, accruals, asyncio.Lock())
    loans = LoanList(writer, followers, LoanLists(models.engine))
    approvals, rules = Approvals(writer), ApprovalRules(writer, lambda: datetime.now(UTC))
    service = LedgerService(writer, followers, models, ageing, loans, approvals)
    reads = RecordedReads(writer, lambda: datetime.now(UTC), lambda: uuid4().hex)
    book = BookReads(store, lambda: writer.business_on, lambda: writer.settled_at(reads.now()))
    audits = _audits(settings, reads, followers, models, service, book)

    def register(server: ByName) -> Sequence[str]:
        add_LedgerServiceServicer_to_server(Recorded(service, LEDGER_READS, reads), server)
        add_LedgerAuditServiceServicer_to_server(Recorded(audits, AUDIT_READS, reads), server)
        approving = ApprovalService(approvals, service.weighed)
        add_LedgerApprovalServiceServicer_to_server(approving, server)
        return SERVED

    await serve(
        settings,
        service="ledger",
        register=register,
        background=[writer.run, followers.run],
        holds=HELD,
        roles_told=lambda roles: rules.tell(*approval_rule(roles)),
        stop=stop,
    )
    store.close()
    await models.engine.dispose()


def _audits(
    settings: LedgerSettings,
    reads: RecordedReads,
    followers: Followers,
    models: ReadModels,
    service: LedgerService,
    book: BookReads,
) -> AuditService:
    """Return what answers auditors: proofs, evidence, counterfactuals, each read recorded."""
    signer = partial(load_signer, settings.log_origin, settings.signing_key_path())
    seals = Seals(models.engine)
    writer = reads.writer
    prover = Prover(writer.log, seals, followers.hurry)
    evidence = Evidence(prover, signer, decode)
    again = {name: getattr(service, name) for name in LOAN_READS}
    return AuditService(prover, seals, evidence, reads, signer, book.today, book, again)
