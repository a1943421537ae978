"""The whole suite under the production profile: every service, and NATS, by certificates."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from lending.collections.v1 import collections_service_pb2 as cases_pb
from lending.collections.v1.collections_service_pb2_grpc import CollectionsServiceStub
from lending.ledger.v1 import audit_service_pb2 as audit_pb
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1.audit_service_pb2_grpc import LedgerAuditServiceStub
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from lending.origination.v1 import origination_service_pb2 as origination_pb
from lending.origination.v1.origination_service_pb2_grpc import OriginationServiceStub

from deploy.local.walking import walk
from deploy.sample.book import Applicant, applicants
from shared.audit.verify_proof import verified
from shared.kernel.errors import LendingError, NotFound
from shared.runtime.grpc_client import open_channel
from shared.runtime.nats_server import start_nats
from tests.shared.runtime.secured import Secured
from tests.system.processes import ROOT, Service, free_port

NAMES = ("risk", "ledger", "origination", "collections")
CALLERS = (
    '"service/end-of-day" = ["end_of_day"]',
    '"person/sun" = ["loan_officer"]',
    '"person/chen" = ["collector"]',
    '"person/zhou" = ["collections_lead"]',
    '"person/both" = ["collector", "collections_lead"]',
    '"person/li" = ["reader", "auditor"]',
)
STUBS = {
    "ledger": LedgerServiceStub,
    "audit": LedgerAuditServiceStub,
    "origination": OriginationServiceStub,
    "collections": CollectionsServiceStub,
}
WAIT_SECONDS_MAX = 60.0


@pytest.fixture
async def suite(tmp_path: Path) -> AsyncIterator[Callable[[str, str], Any]]:
    """Four services and NATS; returns a stub of a service by whose certificate."""
    secured = Secured.make(tmp_path / "certs", *CALLERS)
    ports, nats_port = {name: free_port() for name in NAMES}, free_port()
    nats = start_nats(tmp_path / "nats", nats_port, more=secured.nats_settings())
    async with AsyncExitStack() as stack:
        stack.callback(nats.wait)
        stack.callback(nats.terminate)
        for name in NAMES:
            prefix = name.upper()
            own = {
                "GRPC_PORT": str(ports[name]),
                "METRICS_PORT": "0",
                "DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/{name}.db",
                "NATS_URL": secured.nats_url(nats_port, f"service/{name}"),
                "LEDGER_TARGET": f"localhost:{ports['ledger']}",
                "RISK_TARGET": f"localhost:{ports['risk']}",
                "OUTBOX_FOLDER": str(tmp_path / "outbox"),
                "PAYOUT_FOLDER": str(tmp_path / "payouts"),
                "READING_SECONDS_MIN": "0",
            }
            environment = {f"{prefix}_{key}": value for key, value in own.items()}
            environment |= secured.environment(prefix, f"service/{name}")
            service = Service(name, ports[name], environment, tmp_path / f"{name}.log")
            stack.callback(service.stop)
            service.start()

        def stub(name: str, identity: str) -> Any:
            at = ports["ledger" if name == "audit" else name]
            channel = open_channel(f"localhost:{at}", 20.0, secured.tls(identity))
            stack.push_async_callback(channel.close)
            return STUBS[name](channel)

        yield stub


async def paid_out(suite: Callable[[str, str], Any]) -> Applicant:
    """Walk applications of the sample book, one of them to the money."""
    days, sun = suite("ledger", "service/end-of-day"), suite("origination", "person/sun")
    for one in sorted(applicants(), key=lambda one: one.applied_on):
        day = pb.AdvanceBusinessDateRequest(
            request_id=f"day-{one.applied_on}", to=str(one.applied_on)
        )
        await days.AdvanceBusinessDate(day)
        done = await walk(sun, one)
        if done.status == origination_pb.APPLICATION_STATUS_DISBURSED:
            return one
    raise AssertionError("none was paid out")


async def case_of(collections: Any, loan_id: str) -> None:
    """Wait until collections has heard that the loan is late."""
    until = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < until:
        try:
            await collections.GetCase(cases_pb.GetCaseRequest(loan_id=loan_id))
            return
        except NotFound:
            await asyncio.sleep(0.2)
    raise AssertionError(f"collections has not heard of {loan_id}")


async def test_a_loan_from_application_to_hardship_plan(suite: Callable[[str, str], Any]) -> None:
    """Services call each other by certificates, events pass, and every name is a caller's."""
    one = await paid_out(suite)
    late_on = one.applied_on + timedelta(days=60)
    await suite("ledger", "service/end-of-day").AdvanceBusinessDate(
        pb.AdvanceBusinessDateRequest(request_id="late", to=str(late_on))
    )
    chen, zhou = suite("collections", "person/chen"), suite("collections", "person/zhou")
    await case_of(chen, one.loan_id)

    plan = cases_pb.ProposeHardshipPlanRequest(
        request_id="plan-1",
        loan_id=one.loan_id,
        instalments=24,
        first_due_on=str(late_on + timedelta(days=30)),
        rate_annual="0.06",
        reason="income fell",
    )
    yes = cases_pb.ApproveHardshipPlanRequest(
        request_id="yes-1", loan_id=one.loan_id, effective_on=str(late_on)
    )
    await suite("collections", "person/both").ProposeHardshipPlan(plan)
    with pytest.raises(LendingError) as alone:
        await suite("collections", "person/both").ApproveHardshipPlan(yes)
    with pytest.raises(LendingError) as not_theirs:
        await chen.ApproveHardshipPlan(yes)
    case = await zhou.ApproveHardshipPlan(yes)

    asked = pb.ListLoanEventsRequest(loan_id=one.loan_id)
    events = (await suite("ledger", "person/li").ListLoanEvents(asked)).events
    facts = {e.topic.rpartition(".")[2]: json.loads(e.body_json) for e in events}
    assert alone.value.reason == "APPROVER_IS_PROPOSER"
    assert not_theirs.value.reason == "CALLER_MAY_NOT"
    assert (case.plan.proposed_by, case.plan.approved_by) == ("person/both", "person/zhou")
    assert facts["LoanOpened"]["actor"] == "service/origination"
    assert facts["TermsRestructured"]["actor"] == "service/collections"
    assert facts["TermsRestructured"]["approved_by"] == "person/zhou"


async def test_proofs_verify_when_the_borrower_is_shredded(
    suite: Callable[[str, str], Any], tmp_path: Path
) -> None:
    """The command line destroys the key while the suite runs; what was proven is proven."""
    one, auditor = await paid_out(suite), suite("audit", "person/li")
    asked = audit_pb.ProveEventRequest(loan_id=one.loan_id, version=1)
    before = MessageToDict(await auditor.ProveEvent(asked))
    name = f"Applicant {one.number}".encode()
    held = b"".join(file.read_bytes() for file in tmp_path.glob("*.db*"))

    shred = ["services.origination", "shred", f"B-{one.number:04}", "--yes"]
    done = subprocess.run(
        [sys.executable, "-m", *shred, "--reason", "asked to be forgotten"],
        cwd=ROOT,
        env={
            **os.environ,
            "ORIGINATION_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/origination.db",
            "ORIGINATION_PERSONAL_KEY_FILE": str(tmp_path / "certs" / "personal.key"),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert name not in held
    contract = origination_pb.GetDocumentRequest(
        application_id=one.application_id, kind=origination_pb.DOCUMENT_KIND_CONTRACT
    )
    with pytest.raises(LendingError) as gone:
        await suite("origination", "person/sun").GetDocument(contract)
    assert gone.value.reason == "DOCUMENT_SHREDDED"
    after = MessageToDict(await auditor.ProveEvent(asked))
    for proof in (before, after):
        event = verified(proof, proof["checkpoint"]["verifier"])["event"]
        assert event["borrower_ref"] == f"B-{one.number:04}"
    assert after["leaf"] == before["leaf"]
