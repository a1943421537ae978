"""The 1,000 real applications, taken to the money or to their refusal on one day, and counted."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import socket
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.origination.v1 import origination_service_pb2 as pb
from rich.table import Table

from deploy.local.clients import Clients
from deploy.local.settings import PORTS, Settings
from deploy.local.suite import Suite
from deploy.local.walking import walk
from deploy.sample.book import applicants

APPLIED_ON = date(2025, 11, 3)
CALLS_AT_ONCE = 16
FORMS = {
    "html": pb.DOCUMENT_FORM_HTML,
    "pdf": pb.DOCUMENT_FORM_PDF,
    "md": pb.DOCUMENT_FORM_TEXT,
}


def take_all_in(folder: Path, on: date) -> Table:
    """
    Run a suite of its own, walk every application, and count.

    Args:
        folder: Where the documents of one application that was paid out are written.
        on: Date of all applications; policies of that date decide.
    Returns:
        One row per status with the count, then one per reason of those that were not approved.
    """
    data = Path(tempfile.mkdtemp(prefix="duebook-applications-"))
    suite = Suite(Settings(data, _free_ports()))
    try:
        suite.start()
        found = asyncio.run(_walk(suite.settings, folder, on))
    finally:
        suite.stop()
        shutil.rmtree(data, ignore_errors=True)
    return count(found)


def count(found: Sequence[pb.Application]) -> Table:
    """Count applications by status, and by the first reason of those that were not approved."""
    table = Table("status", "reason", "applications", title=f"{len(found)} applications")
    names = pb.ApplicationStatus.Name
    statuses = Counter(names(a.status).removeprefix("APPLICATION_STATUS_") for a in found)
    for status, number in statuses.most_common():
        reasons = Counter(
            application.decision.reasons[0].code if application.decision.reasons else "-"
            for application in found
            if names(application.status) == f"APPLICATION_STATUS_{status}"
        )
        if status == "DISBURSED":
            reasons = Counter()
        table.add_row(status, "", str(number))
        for reason, times in reasons.most_common():
            table.add_row("", reason.lower(), str(times))
    return table


async def _walk(settings: Settings, folder: Path, on: date) -> list[pb.Application]:
    clients, gate = Clients(settings), asyncio.Semaphore(CALLS_AT_ONCE)
    await clients.ledger.AdvanceBusinessDate(
        ledger_pb.AdvanceBusinessDateRequest(request_id="first-day", to=str(on))
    )

    async def one(applicant: object) -> pb.Application:
        async with gate:
            moved = dataclasses.replace(applicant, applied_on=on)  # type: ignore[type-var]
            return await walk(clients.origination, moved)

    found = await asyncio.gather(*(one(applicant) for applicant in applicants()))
    paid = next(a for a in found if a.status == pb.APPLICATION_STATUS_DISBURSED)
    await _write_documents(clients, paid.application_id, folder)
    await clients.close()
    return found


async def _write_documents(clients: Clients, application_id: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in (
        ("disclosure", pb.DOCUMENT_KIND_DISCLOSURE),
        ("contract", pb.DOCUMENT_KIND_CONTRACT),
    ):
        for language in ("zh", "en"):
            for ending, form in FORMS.items():
                asked = pb.GetDocumentRequest(
                    application_id=application_id, kind=kind, form=form, language=language
                )
                document = await clients.origination.GetDocument(asked)
                (folder / f"{name}-{language}.{ending}").write_bytes(document.content)


def _free_ports() -> dict[str, int]:
    sockets = {name: socket.socket() for name in PORTS}
    for probe in sockets.values():
        probe.bind(("127.0.0.1", 0))
    ports = {name: probe.getsockname()[1] for name, probe in sockets.items()}
    for probe in sockets.values():
        probe.close()
    return ports
