"""Risk as a process of its own, on a SQLite file, with a real NATS: asked, repeated and killed."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Any

from lending.ledger.v1.events_pb2 import DelinquencyEvent
from lending.risk.v1 import events_pb2 as risk_events

from shared.runtime.bus import Bus
from shared.runtime.reading import Reader
from shared.runtime.streams import STREAM
from tests.conformance import messages as messages_of_tests
from tests.conformance.messages import Sent, chained, event
from tests.services.risk.asking import API, asked, cny, refused, reported
from tests.system.processes import Service

WAIT_SECONDS_MAX = 20.0


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
    ({"product": "gold"}, "PRODUCT_UNKNOWN"),
    ({"region": "r" * 201}, "TEXT_TOO_LONG"),
    ({"partnerShare": "0.3"}, "FIELD_MISSING"),
    ({"partnerRef": "P-1", "partnerShare": "1.1"}, "SHARE_NOT_VALID"),
    ({"partnerRef": "P-1", "partnerShare": "NaN"}, "DECIMAL_NOT_PLAIN"),
    ({"attributes": {"housing": "r" * 201}}, "TEXT_TOO_LONG"),
    ({"attributes": {" ": "own"}}, "FIELD_MISSING"),
    ({"attributes": {f"a{n}": "1" for n in range(101)}}, "NUMBER_OUT_OF_RANGE"),
    ({"bureauReport": {"source": "pboc", "reportId": "r"}}, "DATE_NOT_VALID"),
    ({"bureauReport": reported(reportedOn="2026-01-06")}, "FACT_AFTER_DECISION"),
    (
        {"verifiedIncome": {"source": "p", "verifiedOn": "2026-01-01", "monthly": {}}},
        "CURRENCIES_DIFFER",
    ),
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
    risk.call(
        f"{API}/ScoreApplication", **asked(2, product="consumer-2026-daily", amount=cny(300_000))
    )
    risk.call(f"{API}/ScoreApplication", **asked(3, ageYears=17))
    risk.call(f"{API}/ScoreApplication", **asked(4, amount=cny(500_000)))
    risk.call(f"{API}/ScoreApplication", **asked(4, requestId="score-A-4-anew", ageYears=17))

    found = risk.call(f"{API}/GetExposure", currency="CNY")

    assert [(p["product"], p["approved"], p["share"]) for p in found["products"]] == [
        ("consumer-2026", "1", "0.2500"),
        ("consumer-2026-daily", "1", "0.7500"),
    ]
    assert (found["amountMinor"], found["hhi"]) == ("400000", 6250)
    assert "products" not in risk.call(f"{API}/GetExposure", currency="EUR")


def test_what_partners_fund_adds_up(risk: Service) -> None:
    """Of two joint loans the second sees the first; a loan that a partner only brings is none."""
    joint = {"partnerRef": "P-1", "partnerShare": "0.4", "decidedOn": "2026-12-02"}
    risk.call(f"{API}/ScoreApplication", **asked(1, **joint))
    risk.call(f"{API}/ScoreApplication", **asked(2, **{**joint, "partnerShare": "0.0"}))
    risk.call(f"{API}/ScoreApplication", **asked(3, **joint))
    found = risk.call(f"{API}/ExplainDecision", applicationId="A-3")
    rules = {one["code"]: one["found"] for one in found["rules"]}
    only_brought = risk.call(f"{API}/ExplainDecision", applicationId="A-2")

    assert rules["JOINT_PARTNER_LIMIT"] == "200000"
    assert (rules["JOINT_SHARE_TOO_LOW"], rules["JOINT_LENDING_LIMIT"]) == ("0.4", "0.6667")
    assert not any(one["code"].startswith("JOINT") for one in only_brought["rules"])
    assert risk.call(f"{API}/ReplayDecision", applicationId="A-3")["identical"]


def test_a_decision_can_be_explained_and_made_again(risk: Service) -> None:
    """Points and base add up to the score; each rule is shown; a replay is the same decision."""
    first = risk.call(f"{API}/ScoreApplication", **asked(1))
    risk.call(f"{API}/ScoreApplication", **asked(2))
    found = risk.call(f"{API}/ExplainDecision", applicationId="A-1")
    again = risk.call(f"{API}/ReplayDecision", applicationId="A-1")
    points = sum(row.get("points", 0) for row in found["points"])
    inputs = found["inputsJson"]

    assert found["decision"] == first
    assert points + found["basePoints"] == first["score"]
    assert hashlib.sha256(inputs.encode()).hexdigest() == first["inputDigest"]
    assert {rule["code"] for rule in found["rules"]} >= {"TOO_MANY_LENDERS", "AGE_OUT_OF_RANGE"}
    assert not any(rule.get("failed") for rule in found["rules"])
    assert (found["debtServiceRatio"], found["disposableMinor"]) == ("0.1700", "23000")
    assert again["identical"] and again["again"] == first
    assert refused(risk, "ExplainDecision", applicationId="A-9") == (
        "not_found",
        "DECISION_NOT_FOUND",
    )


def test_asking_what_would_be_stores_nothing(risk: Service) -> None:
    """With validate_only the answer is the decision, and nothing is kept or counted."""
    asked_only = risk.call(f"{API}/ScoreApplication", **asked(1, validateOnly=True))
    found = refused(risk, "GetDecision", applicationId="A-1")
    exposure = risk.call(f"{API}/GetExposure", currency="CNY")
    made = risk.call(f"{API}/ScoreApplication", **asked(1))

    assert found == ("not_found", "DECISION_NOT_FOUND")
    assert "products" not in exposure
    assert asked_only["inputDigest"] == made["inputDigest"]
    assert asked_only["outcome"] == made["outcome"]


def late(*happened: tuple[str, str]) -> list[Sent]:
    """Return the messages of one loan: type and date of each, all recorded just now."""
    return chained(recorded_now(type_, on) for type_, on in happened)


def recorded_now(type_: str, on: str, **more: object) -> DelinquencyEvent:
    found = event("L-1", type_, on, borrower_ref="B-1", currency="CNY", **more)
    found.recorded_at = datetime.now(UTC).isoformat()
    return found


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


async def published(nats_url: str, count: int, what: str = "raised") -> list[str]:
    """Return the ids of the alerts published, once as many as wanted have come."""
    bus, found = await Bus.connect(nats_url, "listener"), []
    reader = Reader(bus.client, STREAM, [f"lending.v1.risk.alert_{what}.*"])
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


async def test_a_restatement_withdraws_an_alert(risk: Service, nats_url: str) -> None:
    """A payment that counts earlier takes the end of grace back, and the alert that it raised."""
    grace = recorded_now("GRACE_EXPIRED", "2026-02-09", log_version=4)
    back = recorded_now("TIMELINE_RESTATED", "2026-02-05")
    back.restated.superseded_log_versions.append(4)
    back.restated.to_on = "2026-02-09"
    first, second = chained([grace, back])
    await publish(nats_url, first)
    before = await alerts(risk, 1, openOnly=True)
    await publish(nats_url, second)
    after = before
    for _ in range(100):
        after = await alerts(risk, 1)
        if after[0].get("outcome"):
            break
        await asyncio.sleep(0.1)

    assert before[0]["indicator"] == "ALERT_INDICATOR_GRACE_EXPIRED"
    assert after[0]["outcome"] == "ALERT_OUTCOME_WITHDRAWN"
    assert await published(nats_url, 1, "withdrawn") == [after[0]["alertId"]]
    assert "alerts" not in risk.call(f"{API}/ListAlerts", openOnly=True)


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


async def test_an_alert_has_an_owner_and_an_end(risk: Service, nats_url: str) -> None:
    """Taken over, then closed with an outcome, once; closed alerts leave the open list."""
    await publish(nats_url, *late(("GRACE_EXPIRED", "2026-02-09")))
    alert_id = (await alerts(risk, 1))[0]["alertId"]

    def acknowledge(number: int, **different: Any) -> dict[str, Any]:
        asked = {"requestId": f"ack-{number}", "alertId": alert_id, "owner": "officer-7"}
        return risk.call(f"{API}/AcknowledgeAlert", **{**asked, "on": "2026-02-10", **different})

    taken = acknowledge(1)
    ended = acknowledge(2, on="2026-03-01", outcome="ALERT_OUTCOME_CONFIRMED")
    again = acknowledge(2, on="2026-03-01", outcome="ALERT_OUTCOME_CONFIRMED")

    assert (taken["owner"], taken["acknowledgedOn"]) == ("officer-7", "2026-02-10")
    assert (ended["acknowledgedOn"], ended["closedOn"]) == ("2026-02-10", "2026-03-01")
    assert again == ended
    assert "alerts" not in risk.call(f"{API}/ListAlerts", openOnly=True)
    wrong = {"requestId": "ack-3", "alertId": alert_id, "owner": "officer-8", "on": "2026-03-02"}
    assert refused(risk, "AcknowledgeAlert", **wrong) == ("failed_precondition", "ALERT_IS_CLOSED")
    wrong = {**wrong, "requestId": "ack-4", "alertId": "no-such-alert"}
    assert refused(risk, "AcknowledgeAlert", **wrong) == ("not_found", "ALERT_NOT_FOUND")


async def test_open_alerts_fill_their_pages(risk: Service, nats_url: str) -> None:
    """Closed alerts take no place in a page of open ones; a stale one was never open."""
    told = late(*(("GRACE_EXPIRED", f"2026-{month:02}-09") for month in (1, 4, 7, 10)))
    (old,) = chained([event("L-2", "GRACE_EXPIRED", "2026-10-09", borrower_ref="B-2")])
    await publish(nats_url, *told, old)
    found = await alerts(risk, 5)
    for number, alert in enumerate(found[:2]):
        body = {"requestId": f"ack-{number}", "alertId": alert["alertId"], "owner": "officer-7"}
        ended = {**body, "on": "2026-10-10", "outcome": "ALERT_OUTCOME_FALSE_ALARM"}
        risk.call(f"{API}/AcknowledgeAlert", **ended)
    risk.kill()
    await asyncio.to_thread(risk.start)
    page = risk.call(f"{API}/ListAlerts", openOnly=True, page={"size": 1})
    token = page["nextPageToken"]
    rest = risk.call(f"{API}/ListAlerts", openOnly=True, page={"size": 5, "token": token})

    assert [one["alertId"] for one in page["alerts"] + rest["alerts"]] == [
        "2026-07-09.L-1.GRACE_EXPIRED",
        "2026-10-09.L-1.GRACE_EXPIRED",
    ]
    stale = next(one for one in found if one["loanId"] == "L-2")
    assert stale["outcome"] == "ALERT_OUTCOME_STALE"
    assert await published(nats_url, 4) == [one["alertId"] for one in found if one is not stale]
