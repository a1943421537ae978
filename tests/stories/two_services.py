"""Ledger, risk and collections as processes, for stories told as tables of calls."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from google.rpc import error_details_pb2

from shared.runtime.nats_server import start_nats
from tests.system.processes import CallRefused, Service, free_port

UNTIL_SECONDS_MAX = 40.0
TERMS = {
    "currency": "CNY",
    "principalMinor": "1200000",
    "rateAnnual": "0.12",
    "method": "REPAYMENT_METHOD_LEVEL_INSTALMENT",
    "dayCount": "DAY_COUNT_THIRTY_360",
    "instalments": 12,
    "monthsPerInstalment": 1,
    "firstDueOn": "2026-02-05",
    "graceDays": 3,
    "penaltyRateAnnual": "0.18",
}
HOMES = {
    "Ledger": ("ledger", "lending.ledger.v1.LedgerService"),
    "Cases": ("collections", "lending.collections.v1.CollectionsService"),
    "Contact": ("collections", "lending.collections.v1.ContactService"),
    "Work": ("collections", "lending.collections.v1.WorkService"),
    "Recovery": ("collections", "lending.collections.v1.RecoveryService"),
}


def cny(amount_minor: int) -> dict[str, str]:
    return {"amountMinor": str(amount_minor), "currency": "CNY"}


class Teller:
    """Tells a story row by row; a row says what is asked and what the answer must show."""

    def __init__(self, services: dict[str, Service]) -> None:
        self.services, self.told = services, 0

    def call(self, what: str, /, **body: Any) -> dict[str, Any]:
        name, _, method = what.partition(".")
        service, path = HOMES[name]
        return self.services[service].call(f"{path}/{method}", **body)

    def tell(self, what: str, body: dict[str, Any], shows: Any = None) -> dict[str, Any]:
        """
        Tell one row.

        Args:
            what: "Home.Method"; "Until.Home.Method" asks until the answer shows what it must.
            body: The request; its request id is the row's number.
            shows: A mapping that the answer must contain, or the text of a refusal.
        """
        self.told += 1
        if what.startswith("Until."):
            return self.until(what.removeprefix("Until."), body, shows)
        reads = what.partition(".")[2].startswith(("Get", "List", "Preview", "Share"))
        asked = body if reads else {"requestId": f"row-{self.told}", **body}
        if isinstance(shows, str):
            with pytest.raises(CallRefused) as refusal:
                self.call(what, **asked)
            assert shows == reason_of(refusal.value), (self.told, what)
            return {}
        answer = self.call(what, **asked)
        assert contains(answer, shows or {}), (self.told, what, answer)
        return answer

    def until(self, what: str, body: dict[str, Any], shows: Any) -> dict[str, Any]:
        deadline, answer = time.monotonic() + UNTIL_SECONDS_MAX, {}
        while time.monotonic() < deadline:
            try:
                answer = self.call(what, **body)
                if contains(answer, shows):
                    return answer
            except CallRefused as refusal:
                if refusal.code != "not_found":
                    raise
            time.sleep(0.15)
        raise AssertionError((self.told, what, shows, answer))


def reason_of(refusal: CallRefused) -> str:
    """Return the stable reason out of the rich error."""
    info = error_details_pb2.ErrorInfo()
    for detail in json.loads(refusal.text)["details"]:
        if detail["type"] == "google.rpc.ErrorInfo":
            info.ParseFromString(base64.b64decode(detail["value"] + "=="))
    return info.reason


def contains(answer: Any, shown: Any) -> bool:
    """Say whether an answer holds everything that is shown; lists entry by entry, as many."""
    if isinstance(shown, dict):
        return isinstance(answer, dict) and all(
            contains(answer.get(key), value) for key, value in shown.items()
        )
    if isinstance(shown, list):
        return (
            isinstance(answer, list)
            and len(answer) == len(shown)
            and all(contains(one, wanted) for one, wanted in zip(answer, shown, strict=True))
        )
    return answer == shown or (answer is None and shown == "")


@contextmanager
def two_services(folder: Path, urls: dict[str, str] | None = None) -> Iterator[Teller]:
    """
    Start NATS, the ledger, risk and collections on free ports; one loan is open and paid out.

    Args:
        folder: Where everything is kept.
        urls: A database for each service; SQLite files in the folder where none is given.
    """
    ports = {name: free_port() for name in ("ledger", "risk", "collections", "nats")}
    nats = start_nats(folder / "nats", ports["nats"])
    services = {}
    for name in ("ledger", "risk", "collections"):
        settings = {
            "GRPC_PORT": str(ports[name]),
            "METRICS_PORT": "0",
            "DATABASE_URL": (urls or {}).get(name, f"sqlite+aiosqlite:///{folder}/{name}.db"),
            "NATS_URL": f"nats://127.0.0.1:{ports['nats']}",
            "LEDGER_TARGET": f"127.0.0.1:{ports['ledger']}",
            "RISK_TARGET": f"127.0.0.1:{ports['risk']}",
            "OUTBOX_FOLDER": str(folder / "outbox"),
            "SIGNING_KEY_FILE": str(folder / "signing.key"),
        }
        environment = {f"{name.upper()}_{key}": value for key, value in settings.items()}
        services[name] = Service(name, ports[name], environment, folder / f"{name}.log")
        services[name].start()
    teller = Teller(services)
    loan = {"loanId": "L-1"}
    teller.tell("Ledger.AdvanceBusinessDate", {"to": "2026-01-05"})
    teller.tell("Ledger.OpenLoan", {**loan, "borrowerRef": "B-1", "product": "p", "terms": TERMS})
    paid_out = {**loan, "valueOn": "2026-01-05", "amount": cny(1_200_000)}
    teller.tell("Ledger.DisburseLoan", paid_out)
    try:
        yield teller
    finally:
        # Also of a story that ended badly: nothing runs on.
        for service in services.values():
            service.stop()
        nats.kill()
        nats.wait()
