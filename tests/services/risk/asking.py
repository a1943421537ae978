"""What risk is asked, and how it refuses."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from google.rpc import error_details_pb2

from services.risk.training.datasets import german
from tests.system.processes import CallRefused, Service, free_port

API = "lending.risk.v1.RiskService"


@contextlib.contextmanager
def risk_running(folder: Path, nats_url: str, **settings: str) -> Iterator[Service]:
    """Give a risk process on a SQLite file of its own, with settings such as RISK_INCOME_URL."""
    port = free_port()
    environment = {
        "RISK_GRPC_PORT": str(port),
        "RISK_METRICS_PORT": "0",
        "RISK_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/risk.db",
        "RISK_NATS_URL": nats_url,
        **settings,
    }
    service = Service("risk", port, environment, folder / "risk.log")
    service.start()
    yield service
    service.stop()


@contextlib.contextmanager
def risk_asking(desk_url: str, folder: Path, nats_url: str) -> Iterator[Service]:
    """Give a risk process that asks a desk for incomes, and waits for half a second."""
    settings = {"RISK_INCOME_URL": desk_url, "RISK_INCOME_TIMEOUT_SECONDS": "0.5"}
    with risk_running(folder, nats_url, **settings) as service:
        yield service


def cny(amount_minor: int) -> dict[str, str]:
    return {"amountMinor": str(amount_minor), "currency": "CNY"}


def reported(**different: Any) -> dict[str, Any]:
    """Return a clean bureau report of the day before, but for what is different."""
    nothing = {"monthlyPayments": cny(0), "overdue": cny(0)}
    report = {"source": "pboc", "reportId": "r-1", "reportedOn": "2026-01-04"}
    return {**report, "consentedOn": "2026-01-04", **nothing, **different}


def asked(number: int, **different: Any) -> dict[str, Any]:
    """Return an application that is approved, but for what is different."""
    return {
        "requestId": f"score-A-{number}",
        "applicationId": f"A-{number}",
        "borrowerRef": f"B-{number}",
        "product": "consumer-2026",
        "region": "SH",
        "amount": cny(100_000),
        "instalments": 6,
        "monthlyIncome": cny(100_000),
        "monthlyDebtPayments": cny(0),
        "monthlyInstalment": cny(17_000),
        "otherLenders": 0,
        "enquiries30d": 1,
        "ageYears": 30,
        "attributes": german().applicants()[0],
        "decidedOn": "2026-01-05",
        **different,
    }


class Refusal(NamedTuple):
    """What is said to who is refused; field and expected are empty where no field is wrong."""

    code: str
    reason: str
    field: str
    expected: str


def refused(risk: Service, method: str, /, api: str = API, **body: Any) -> tuple[str, str]:
    """Return the code and the reason of a call that is refused."""
    found = refusal(risk, method, api, **body)
    return found.code, found.reason


def refusal(risk: Service, method: str, /, api: str = API, **body: Any) -> Refusal:
    """Return what is said of a call that is refused."""
    with pytest.raises(CallRefused) as caught:
        risk.call(f"{api}/{method}", **body)
    details = json.loads(caught.value.text)["details"]
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for message, detail in zip((info, bad), details, strict=False):
        text = detail["value"]
        message.ParseFromString(base64.b64decode(text + "=" * (-len(text) % 4)))
    field = bad.field_violations[0].field if bad.field_violations else ""
    return Refusal(caught.value.code, info.reason, field, info.metadata.get("expected", ""))
