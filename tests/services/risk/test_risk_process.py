"""Risk as a process of its own, on a SQLite file, with a real NATS: asked, repeated and killed."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.rpc import error_details_pb2
from lending.risk.v1 import events_pb2 as risk_events

from services.risk.adapters import training
from services.risk.entrypoints.cli import DATA
from shared.runtime.bus import Bus
from shared.runtime.nats_server import start_nats
from shared.runtime.reading import Reader
from shared.runtime.streams import STREAM
from tests.conformance import messages as messages_of_tests
from tests.conformance.messages import Sent, chained, event
from tests.system.processes import CallRefused, Service, free_port

API = "lending.risk.v1.RiskService"
WAIT_SECONDS_MAX = 20.0


@pytest.fixture
def nats_url(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    server = start_nats(tmp_path / "nats", port)
    yield f"nats://127.0.0.1:{port}"
    server.terminate()
    server.wait()


@pytest.fixture
def risk(tmp_path: Path, nats_url: str) -> Iterator[Service]:
    port = free_port()
    environment = {
        "RISK_GRPC_PORT": str(port),
        "RISK_METRICS_PORT": "0",
        "RISK_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/risk.db",
        "RISK_NATS_URL": nats_url,
    }
    service = Service("risk", port, environment, tmp_path / "risk.log")
    service.start()
    yield service
    service.stop()


def cny(amount_minor: int) -> dict[str, str]:
    return {"amountMinor": str(amount_minor), "currency": "CNY"}


def asked(number: int, **different: Any) -> dict[str, Any]:
    """Return an application that is approved, but for what is different."""
    return {
        "requestId": f"score-A-{number}",
        "applicationId": f"A-{number}",
        "borrowerRef": f"B-{number}",
        "product": "consumer-2026",
        "amount": cny(100_000),
        "instalments": 6,
        "monthlyIncome": cny(100_000),
        "monthlyDebtPayments": cny(0),
        "monthlyInstalment": cny(17_000),
        "otherLenders": 0,
        "enquiries30d": 1,
        "ageYears": 30,
        "attributes": training.read_rows(DATA)[0],
        "decidedOn": "2026-01-05",
        **different,
    }


def refused(risk: Service, method: str, /, **body: Any) -> tuple[str, str]:
    """Return the code and the reason of a call that is refused."""
    with pytest.raises(CallRefused) as refusal:
        risk.call(f"{API}/{method}", **body)
    details = json.loads(refusal.value.text)["details"]
    text = details[0]["value"]
    body_bytes = base64.b64decode(text + "=" * (-len(text) % 4))
    return refusal.value.code, error_details_pb2.ErrorInfo.FromString(body_bytes).reason


def test_a_decision_is_made_once(risk: Service) -> None:
    """The same request gets the first answer, even after a crash; another body is refused."""
    first = risk.call(f"{API}/ScoreApplication", **asked(1))
    risk.kill()
    risk.start()
    again = risk.call(f"{API}/ScoreApplication", **asked(1))

    assert first["outcome"] == "DECISION_OUTCOME_APPROVED"
    assert first["policyVersion"] == "cn-consumer/2026-01"
    assert again == first == risk.call(f"{API}/GetDecision", applicationId="A-1")
    again = refused(risk, "ScoreApplication", **asked(1, ageYears=31))
    assert again == ("failed_precondition", "REQUEST_ID_REUSED")


WRONG = [
    # what is wrong with the application           | reason
    ({"requestId": ""}, "ID_NOT_VALID"),
    ({"borrowerRef": " "}, "FIELD_MISSING"),
    ({"amount": cny(0)}, "AMOUNT_NOT_POSITIVE"),
    ({"amount": cny(10**15 + 1)}, "AMOUNT_TOO_LARGE"),
    ({"monthlyIncome": {"amountMinor": "1", "currency": "EUR"}}, "CURRENCIES_DIFFER"),
    ({"amount": {"amountMinor": "1", "currency": "XXX"}}, "CURRENCY_UNKNOWN"),
    ({"instalments": 481}, "NUMBER_OUT_OF_RANGE"),
    ({"ageYears": -1}, "NUMBER_OUT_OF_RANGE"),
    ({"decidedOn": "2026-02-30"}, "DATE_NOT_VALID"),
]


def test_what_cannot_be_right_is_named(risk: Service) -> None:
    """A malformed application is refused with its reason and leaves no decision behind."""
    for different, reason in WRONG:
        found = refused(risk, "ScoreApplication", **asked(1, **different))
        assert found == ("invalid_argument", reason)

    found = refused(risk, "GetDecision", applicationId="A-1")
    assert found == ("not_found", "DECISION_NOT_FOUND")
    found = refused(risk, "ListAlerts", page={"size": -1})
    assert found == ("invalid_argument", "NUMBER_OUT_OF_RANGE")


def test_exposure_counts_approvals_once(risk: Service) -> None:
    """Declined applications weigh nothing; an application decided anew replaces its old weight."""
    risk.call(f"{API}/ScoreApplication", **asked(1))
    risk.call(f"{API}/ScoreApplication", **asked(2, product="other-2026", amount=cny(300_000)))
    risk.call(f"{API}/ScoreApplication", **asked(3, ageYears=17))
    risk.call(f"{API}/ScoreApplication", **asked(4, amount=cny(500_000)))
    risk.call(f"{API}/ScoreApplication", **asked(4, requestId="score-A-4-anew", ageYears=17))

    found = risk.call(f"{API}/GetExposure", currency="CNY")

    assert [(p["product"], p["approved"], p["share"]) for p in found["products"]] == [
        ("consumer-2026", "1", "0.2500"),
        ("other-2026", "1", "0.7500"),
    ]
    assert (found["amountMinor"], found["hhi"]) == ("400000", 6250)
    assert "products" not in risk.call(f"{API}/GetExposure", currency="EUR")


def late(*happened: tuple[str, str]) -> list[Sent]:
    """Return the messages of one loan: type and date of each."""
    return chained(
        event("L-1", type_, on, borrower_ref="B-1", currency="CNY") for type_, on in happened
    )


async def publish(nats_url: str, *messages: Sent) -> None:
    bus = await Bus.connect(nats_url, "test")
    await bus.ensure_streams()
    await messages_of_tests.publish(bus, messages)
    await bus.close()


async def alerts(risk: Service, count: int, **which: Any) -> list[dict[str, Any]]:
    """Return the alerts once there are as many as wanted."""
    found: list[dict[str, Any]] = []
    for _ in range(int(WAIT_SECONDS_MAX / 0.2)):
        answer = await asyncio.to_thread(risk.call, f"{API}/ListAlerts", **which)
        found = answer.get("alerts", [])
        if len(found) >= count:
            return found
        await asyncio.sleep(0.2)
    raise AssertionError(f"{count} alerts wanted, found {found}; {risk.log.read_text()[-2000:]}")


async def published(nats_url: str, count: int) -> list[str]:
    """Return the ids of the alerts published, once as many as wanted have come."""
    bus, found = await Bus.connect(nats_url, "listener"), []
    reader = Reader(bus.client, STREAM, ["lending.v1.risk.alert_raised.*"])
    while len(found) < count:
        for message in await reader.batch(count, WAIT_SECONDS_MAX):
            found.append(risk_events.AlertRaised.FromString(message.body).alert.alert_id)
    await bus.close()
    return found


async def test_each_event_warns_once(risk: Service, nats_url: str) -> None:
    """An event published again, before or after a crash, is one event: one alert, one message."""
    first, second, third = late(
        ("GRACE_ENTERED", "2026-02-06"),
        ("GRACE_ENTERED", "2026-03-06"),
        ("GRACE_EXPIRED", "2026-03-09"),
    )
    await publish(nats_url, first, first, second)
    before = await alerts(risk, 1)
    risk.kill()
    await asyncio.to_thread(risk.start)
    await publish(nats_url, second, third)
    after = await alerts(risk, 2)

    assert [alert["alertId"] for alert in before] == ["2026-03-06.L-1.GRACE_AGAIN"]
    assert after[0] == before[0]
    assert after[0]["evidence"] == ["L-1/1", "L-1/2"]
    assert [alert["indicator"] for alert in after[1:]] == ["ALERT_INDICATOR_GRACE_EXPIRED"]
    assert await published(nats_url, 2) == [alert["alertId"] for alert in after]


async def test_alerts_come_in_pages(risk: Service, nats_url: str) -> None:
    """Pages join without gap or repeat; an indicator can be asked for alone."""
    happened = ("GRACE_ENTERED", "2026-02-06"), ("GRACE_EXPIRED", "2026-02-09")
    await publish(nats_url, *late(*happened, ("GRACE_ENTERED", "2026-03-06")))
    both = await alerts(risk, 2)

    page = risk.call(f"{API}/ListAlerts", page={"size": 1})
    rest = risk.call(f"{API}/ListAlerts", page={"size": 1, "token": page["nextPageToken"]})
    alone = risk.call(f"{API}/ListAlerts", indicator="ALERT_INDICATOR_GRACE_AGAIN")

    assert page["alerts"] + rest["alerts"] == both
    assert alone["alerts"] == both[1:]
