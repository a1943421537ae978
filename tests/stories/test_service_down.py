"""While a service is away, its callers get a clear error, keep their place, and go on later."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.conftest import Suite, start_suite
from tests.stories.three_loans import GOOD_RISK, cny
from tests.system.processes import CallRefused

ORIGINATION = "lending.origination.v1.OriginationService"
APPLICATION = {
    "requestId": "submit-1",
    "applicationId": "A-1",
    "borrowerRef": "B-1",
    "applicantName": "Han Meimei",
    "identityNumber": "X",
    "product": "consumer-2026",
    "amount": cny(1_200_000),
    "instalments": 12,
    "method": "REPAYMENT_METHOD_LEVEL_INSTALMENT",
    "monthlyIncome": cny(1_000_000),
    "monthlyDebtPayments": cny(0),
    "ageYears": 34,
    "purpose": "radio/television",
    "attributes": GOOD_RISK,
    "appliedOn": "2026-01-05",
}


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Suite]:
    found = start_suite(tmp_path, None)
    yield found
    found.stop()


def test_risk_away_and_back(suite: Suite) -> None:
    """Without risk no decision is made and none is half made; with it the same request decides."""
    origination, ask = suite.services["origination"], {"requestId": "d-1", "applicationId": "A-1"}
    origination.call(f"{ORIGINATION}/SubmitApplication", **APPLICATION)
    suite.services["risk"].kill()

    with pytest.raises(CallRefused) as refusal:
        origination.call(f"{ORIGINATION}/DecideApplication", **ask)
    between = origination.call(f"{ORIGINATION}/GetApplication", applicationId="A-1")
    suite.services["risk"].start()
    decided = suite.call("origination", "DecideApplication", **ask)

    assert refusal.value.code == "unavailable"
    assert between["status"] == "APPLICATION_STATUS_SUBMITTED"
    assert decided["status"] == "APPLICATION_STATUS_OFFERED"


WRONG = [
    # field                | value                    | said
    ("amount", cny(0), "too small"),
    ("amount", cny(-1), "too small"),
    ("amount", cny(10**16), "too large"),
    ("amount", {"amountMinor": "1", "currency": "XXX"}, "not known"),
    ("product", "gold", "unknown"),
    ("method", "REPAYMENT_METHOD_UNSPECIFIED", "not set"),
    ("instalments", 0, "is 0"),
    ("instalments", 481, "is 481"),
    ("appliedOn", "2026-02-30", "not a date"),
    ("appliedOn", "", "not a date"),
    ("applicantName", " ", "is empty"),
    ("ageYears", 131, "is 131"),
    ("borrowerRef", "李雷", "not an id"),
    ("requestId", "", "not an id"),
]


def test_a_wrong_application_is_not_taken_in(suite: Suite) -> None:
    """Each wrong field is named, and no application remains."""
    origination = suite.services["origination"]

    for field, value, said in WRONG:
        with pytest.raises(CallRefused) as refusal:
            wrong = {**APPLICATION, field: value}
            origination.call(f"{ORIGINATION}/SubmitApplication", **wrong)
        assert (refusal.value.code, said in refusal.value.text) == ("invalid_argument", True), field

    assert origination.call(f"{ORIGINATION}/ListApplications") == {}


def test_metrics_count_calls_by_method_and_code(suite: Suite) -> None:
    """Prometheus finds how many calls were answered, and how."""
    service = suite.services["ledger"]
    service.stop()
    service.environment["LEDGER_METRICS_PORT"] = str(service.port + 1)
    service.start()
    with pytest.raises(CallRefused):
        service.call("lending.ledger.v1.LedgerService/GetLoan", loanId="L-404")

    with urllib.request.urlopen(f"http://127.0.0.1:{service.port + 1}/metrics") as page:
        lines = page.read().decode().splitlines()

    wanted = 'code="LOAN_NOT_FOUND",method="/lending.ledger.v1.LedgerService/GetLoan"} 1.0'
    assert any(line.endswith(wanted) for line in lines), json.dumps(lines)[:500]
