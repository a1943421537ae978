"""Checkpoints under the production profile: a stream made again is proven by the ledger itself."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import audit_service_pb2 as audit_pb
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1.audit_service_pb2_grpc import LedgerAuditServiceStub
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from services.ledger.wire_terms import terms_message
from shared.audit.checkpoints import load_signer
from shared.runtime.grpc_client import open_channel
from shared.runtime.nats_server import start_nats
from tests.services.ledger.domain.desk import TERMS
from tests.shared.runtime.secured import Secured
from tests.system.processes import ROOT, Service, free_port

CALLERS = ('"service/payments" = ["payments", "end_of_day"]', '"person/li" = ["auditor"]')
HEARERS = ("risk", "collections")
DAY, WAIT_SECONDS_MAX = "2026-01-05", 60.0


@dataclass
class Suite:
    """NATS, the ledger and its two subscribers, by certificates."""

    folder: Path
    secured: Secured
    ports: dict[str, int]
    nats: subprocess.Popen[bytes] | None = None
    services: dict[str, Service] = field(default_factory=dict)

    @classmethod
    def make(cls, folder: Path) -> Suite:
        """Make certificates, and the ledger's signing key, which its subscribers are told."""
        made = cls(
            folder,
            Secured.make(folder / "certs", *CALLERS),
            {name: free_port() for name in ("nats", "ledger", *HEARERS)},
        )
        verifier = load_signer("duebook.local/ledger", folder / "ledger-signing.key").verifier
        for name in ("ledger", *HEARERS):
            own = {
                "GRPC_PORT": str(made.ports[name]),
                "METRICS_PORT": "0",
                "DATABASE_URL": made.database(name),
                "NATS_URL": made.secured.nats_url(made.ports["nats"], f"service/{name}"),
                "LEDGER_TARGET": f"localhost:{made.ports['ledger']}",
                "LEDGER_VERIFIER_KEYS": verifier,
                "OUTBOX_FOLDER": str(folder / "outbox"),
            }
            environment = {f"{name.upper()}_{key}": value for key, value in own.items()}
            environment |= made.secured.environment(name.upper(), f"service/{name}")
            log = folder / f"{name}.log"
            made.services[name] = Service(name, made.ports[name], environment, log)
        return made

    def database(self, name: str) -> str:
        return f"sqlite+aiosqlite:///{self.folder}/{name}.db"

    def start_nats(self) -> None:
        self.nats = start_nats(
            self.folder / "nats", self.ports["nats"], more=self.secured.nats_settings()
        )

    def stop_nats(self) -> None:
        if self.nats is not None:
            self.nats.kill()
            self.nats.wait()

    def wipe_nats(self) -> None:
        self.stop_nats()
        shutil.rmtree(self.folder / "nats")

    @asynccontextmanager
    async def asking(self, identity: str, kind: Callable[..., Any]) -> AsyncIterator[Any]:
        """Ask the ledger as somebody."""
        tls = self.secured.tls(identity)
        channel = open_channel(f"localhost:{self.ports['ledger']}", 60.0, tls)
        yield kind(channel)
        await channel.close()

    async def pay(self, number: int) -> None:
        """Post a repayment."""
        async with self.asking("service/payments", LedgerServiceStub) as payments:
            money = Money(amount_minor=1000 + number, currency="CNY")
            posted = {"request_id": f"money-{number}", "loan_id": "L-1", "value_on": DAY}
            await payments.PostRepayment(pb.PostRepaymentRequest(**posted, amount=money))

    async def sealed(self, at_least: int) -> int:
        """Wait until so many events are sealed; return how many are."""
        until, size = time.monotonic() + WAIT_SECONDS_MAX, 0
        async with self.asking("person/li", LedgerAuditServiceStub) as auditor:
            while size < at_least and time.monotonic() < until:
                await asyncio.sleep(0.2)
                size = (await auditor.GetCheckpoint(audit_pb.GetCheckpointRequest())).size
        assert size >= at_least
        return size

    def desk(self, name: str, *words: str) -> tuple[int, list[list[str]]]:
        """Run the subscribers' command line; return its exit code and rows."""
        of = ["--subscriber", name, "--database-url", self.database(name)]
        done = subprocess.run(
            [sys.executable, "-m", "shared.subscriber", *words, *of],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert not done.stderr, done.stderr
        return done.returncode, [line.split("\t") for line in done.stdout.splitlines()]

    async def taken(self, name: str, at_least: int) -> int:
        """Wait until a subscriber took a checkpoint of that size; return the largest."""
        until, size = time.monotonic() + WAIT_SECONDS_MAX, 0
        while size < at_least and time.monotonic() < until:
            await asyncio.sleep(0.2)
            with closing(sqlite3.connect(self.folder / f"{name}.db")) as database:
                found = database.execute("SELECT max(size) FROM stream_checkpoints").fetchone()
            size = found[0] or 0
        assert size >= at_least, (self.folder / f"{name}.log").read_text()[-3000:]
        return size


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Suite]:
    made = Suite.make(tmp_path)
    made.start_nats()
    for service in made.services.values():
        service.start()
    yield made
    for service in made.services.values():
        service.stop()
    made.stop_nats()


async def _lend(suite: Suite) -> None:
    async with suite.asking("service/payments", LedgerServiceStub) as payments:
        day = pb.AdvanceBusinessDateRequest(request_id="day-1", to=DAY)
        await payments.AdvanceBusinessDate(day)
    async with suite.asking("service/origination", LedgerServiceStub) as origination:
        loan = {"request_id": "open-1", "loan_id": "L-1", "borrower_ref": "B", "product": "p"}
        await origination.OpenLoan(pb.OpenLoanRequest(**loan, terms=terms_message(TERMS)))
        amount = Money(amount_minor=TERMS.principal_minor, currency="CNY")
        given = {"request_id": "pay-1", "loan_id": "L-1", "value_on": DAY}
        await origination.DisburseLoan(pb.DisburseLoanRequest(**given, amount=amount))


async def _stream_made_again(suite: Suite) -> int:
    """Lose the stream while the log grows, and restart the ledger; return the log's size."""
    suite.stop_nats()
    before = await suite.sealed(1)
    await suite.pay(2)
    grown = await suite.sealed(before + 1)
    suite.services["ledger"].kill()
    suite.wipe_nats()
    suite.start_nats()
    suite.services["ledger"].start()
    return grown


async def test_the_ledger_proves_what_a_new_stream_does_not(suite: Suite) -> None:
    """NATS wiped, the log grown, the relay new: both services ask the ledger, and none alarms."""
    await _lend(suite)
    await suite.pay(1)
    first = await suite.sealed(3)
    before = [await suite.taken(name, first) for name in HEARERS]

    grown = await _stream_made_again(suite)
    after = [await suite.taken(name, grown) for name in HEARERS]

    assert all(size > known for size, known in zip(after, before, strict=True))
    for name, size in zip(HEARERS, after, strict=True):
        code, rows = suite.desk(name, "checkpoints")
        assert (code, rows[-1][0]) == (0, str(size))
        said = (suite.folder / f"{name}.log").read_text()
        assert "the stream was replaced" in said
        assert "proves nothing" not in said
