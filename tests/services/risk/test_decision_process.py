"""Decisions through the public API: what they look at, and what they count."""

from __future__ import annotations

from tests.services.risk.asking import API, asked, cny
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
    report = {"source": "pboc", "reportedOn": "2026-01-04", "consentedOn": "2026-01-04"}
    for number in range(1, 37):
        reported = {"bureauReport": {**report, "reportId": f"r-{number}"}}
        said = risk.call(f"{API}/ScoreApplication", **asked(number, **loan, **reported))
    found = risk.call(f"{API}/GetExposure", currency="CNY")

    assert said["outcome"] == "DECISION_OUTCOME_APPROVED"
    assert found["amountMinor"] == str(36 * 30_000_000)
    assert not any(
        row.get("aboveLimit") for one in found["concentrations"] for row in one.get("largest", [])
    )
