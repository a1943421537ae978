"""Decisions through the public API: what they look at, and what they count."""

from __future__ import annotations

import asyncio

from lending.origination.v1 import origination_service_pb2 as pb
from lending.origination.v1.events_pb2 import ApplicationChanged

from shared.runtime.bus import Bus
from tests.conformance import messages as messages_of_tests
from tests.conformance.messages import chained, event
from tests.services.risk.asking import API, asked, cny, refused, reported
from tests.system.processes import Service


def test_what_is_asked_for_is_what_the_model_sees(risk: Service) -> None:
    """Amount, term and purpose are the application's own, whatever the attributes state."""
    stated = {"credit_amount": "500", "duration_in_month": "4", "purpose": "retraining"}
    honest = asked(1, amount=cny(4_900_000), instalments=48, purpose="Car (NEW)")
    flattering = {**honest, "attributes": {**honest["attributes"], **stated}}
    one = risk.call(f"{API}/ScoreApplication", **honest, validateOnly=True)
    other = risk.call(f"{API}/ScoreApplication", **flattering)
    points = risk.call(f"{API}/ExplainDecision", applicationId="A-1")["points"]
    seen = {row["name"]: row.get("value") for row in points}
    home = asked(2, purpose="Home Purchase", attributes={**honest["attributes"], **stated})
    excluded = risk.call(f"{API}/ScoreApplication", **home)

    assert (one["score"], one["inputDigest"]) == (other["score"], other["inputDigest"])
    assert (seen["credit_amount"], seen["duration_in_month"]) == ("49000", "48")
    assert seen["purpose"] == "Car (NEW)"
    assert excluded["reasons"][0]["code"] == "PURPOSE_EXCLUDED"


def test_what_has_no_region_is_no_concentration(risk: Service) -> None:
    """Beyond ten million, loans without region, partner or guarantor are still approved."""
    loan = {"amount": cny(30_000_000), "monthlyIncome": cny(10_000_000), "region": ""}
    for number in range(1, 37):
        report = reported(reportId=f"r-{number}")
        said = risk.call(f"{API}/ScoreApplication", **asked(number, **loan, bureauReport=report))
    found = risk.call(f"{API}/GetExposure", currency="CNY")

    assert said["outcome"] == "DECISION_OUTCOME_APPROVED"
    assert found["amountMinor"] == str(36 * 30_000_000)
    assert not any(
        row.get("aboveLimit") for one in found["concentrations"] for row in one.get("largest", [])
    )


async def exposed(risk: Service, amount_minor: int) -> bool:
    """Wait until so much is exposed."""
    found = {}
    for _ in range(100):
        found = await asyncio.to_thread(risk.call, f"{API}/GetExposure", currency="CNY")
        if int(found.get("amountMinor", 0)) == amount_minor:
            return True
        await asyncio.sleep(0.1)
    raise AssertionError(f"{found}; {risk.log.read_text()[-2000:]}")


async def tell(nats_url: str, status: str, steps: int, loan: str = "") -> None:
    """Publish an application's status as origination does, and the end of a loan if named."""
    told = pb.Application(
        application_id="A-1",
        borrower_ref="B-1",
        status=pb.ApplicationStatus.Value(f"APPLICATION_STATUS_{status}"),
        loan_id="L-A-1",
        product="consumer-2026",
        currency="CNY",
        amount_minor=20_000_000,
        trail=[pb.TrailEntry()] * steps,
    )
    bus = await Bus.connect(nats_url, "origination")
    await bus.ensure_streams()
    body = ApplicationChanged(application=told).SerializeToString()
    subject = f"lending.v1.origination.application_{status.lower()}.A-1"
    await bus.publish(subject, body, f"A-1/{steps}", {})
    if loan:
        ended = event("L-A-1", loan, borrower_ref="B-1", currency="CNY")
        await messages_of_tests.publish(bus, chained([ended]))
    await bus.close()


async def test_what_people_approve_counts_until_it_ends(risk: Service, nats_url: str) -> None:
    """A referred loan that people approve is exposure; withdrawn or settled it is not."""
    large = {"amount": cny(20_000_000), "monthlyIncome": cny(10_000_000), "borrowerRef": "B-1"}
    said = risk.call(f"{API}/ScoreApplication", **asked(1, **large))
    before = await exposed(risk, 0)
    await tell(nats_url, "OFFERED", 3)
    offered = await exposed(risk, 20_000_000)
    second = risk.call(
        f"{API}/ScoreApplication", **asked(2, **{**large, "amount": cny(20_000_001)})
    )
    risk.kill()
    await asyncio.to_thread(risk.start)
    kept = await exposed(risk, 20_000_000)
    await tell(nats_url, "DISBURSED", 7, loan="SETTLED")

    assert said["outcome"] == "DECISION_OUTCOME_REFERRED"
    assert before and offered and kept and await exposed(risk, 0)
    codes = [reason["code"] for reason in second["reasons"]]
    assert "BORROWER_EXPOSURE_TOO_HIGH" in codes


async def test_decisions_asked_together_see_each_other(risk: Service) -> None:
    """Asked at the same moment, only so many are approved as the borrower's limit bears."""
    loan = {
        "amount": cny(15_000_000),
        "monthlyIncome": cny(10_000_000),
        "borrowerRef": "B-1",
        "bureauReport": reported(),
    }
    forms = [asked(number, **loan) for number in range(10, 16)]
    both = [*forms, *forms]
    said = await asyncio.gather(
        *(asyncio.to_thread(risk.call, f"{API}/ScoreApplication", **form) for form in both)
    )

    outcomes = [one["outcome"] for one in said[:6]]
    assert outcomes.count("DECISION_OUTCOME_APPROVED") == 2
    assert said[:6] == said[6:]
    assert await exposed(risk, 30_000_000)


def test_connected_borrowers_count_together(risk: Service) -> None:
    """From April on a group has a limit of its own; a report without amounts is refused."""
    common = {
        "monthlyIncome": cny(10_000_000),
        "decidedOn": "2026-04-01",
        "amount": cny(30_000_000),
        "groupRef": "G-1",
        "bureauReport": reported(reportedOn="2026-03-31", consentedOn="2026-03-31"),
        "verifiedIncome": {"source": "p", "verifiedOn": "2026-03-31", "monthly": cny(10_000_000)},
    }
    said = [risk.call(f"{API}/ScoreApplication", **asked(n, **common)) for n in (1, 2, 3)]
    silent = {k: v for k, v in reported().items() if k != "overdue"}

    outcomes = [one["outcome"].removeprefix("DECISION_OUTCOME_") for one in said]
    assert outcomes == ["APPROVED", "APPROVED", "REFERRED"]
    assert said[2]["reasons"][0]["code"] == "GROUP_EXPOSURE_TOO_HIGH"
    assert refused(risk, "ScoreApplication", **asked(4, bureauReport=silent)) == (
        "invalid_argument",
        "FIELD_MISSING",
    )
