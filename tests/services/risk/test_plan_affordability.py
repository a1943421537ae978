"""Whether a hardship plan's instalment can be paid: a table, its edges, and a real process."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.risk.adapters.artefacts import read_plan_policies
from services.risk.application.plans import Assessed
from services.risk.config import RiskSettings
from services.risk.domain.application import FactAfterDecision, VerifiedIncome
from services.risk.domain.plan_affordability import Means, assess
from tests.services.risk.asking import cny, refused
from tests.system.processes import Service

POLICIES = read_plan_policies(RiskSettings().affordability_folder)
POLICY = POLICIES.version("hardship-affordability/2026-01")
CONTRACTS = Path(__file__).parents[2] / "contracts"
API = "lending.risk.v1.AffordabilityService"
SOUND = Means(
    borrower_ref="B-1",
    loan_id="L-1",
    plan_ref="plan-1",
    assessed_on=date(2026, 3, 5),
    currency="CNY",
    instalment_minor=100_000,
    income_stated_minor=600_000,
    living_costs_minor=200_000,
    debt_payments_minor=50_000,
    other_instalments_minor=50_000,
)


def payroll(monthly_minor: int, verified_on: date = date(2026, 3, 1)) -> dict[str, object]:
    income = VerifiedIncome(source="payroll", verified_on=verified_on, monthly_minor=monthly_minor)
    return {"income": income}


TABLE = [
    # what is different                      | outcome         | first reason
    ({}, "AFFORDABLE", None),
    # all payments over income: 60 % at most
    ({"instalment_minor": 260_000, "living_costs_minor": 60_000}, "AFFORDABLE", None),
    (
        {"instalment_minor": 260_001, "living_costs_minor": 60_000},
        "NOT_AFFORDABLE",
        "DEBT_SERVICE_TOO_HIGH",
    ),
    # what is left after living costs, other debts and our other loans
    ({"living_costs_minor": 400_000}, "AFFORDABLE", None),
    ({"living_costs_minor": 400_001}, "NOT_AFFORDABLE", "NOTHING_LEFT_TO_LIVE_ON"),
    ({"debt_payments_minor": 250_000}, "NOT_AFFORDABLE", "DEBT_SERVICE_TOO_HIGH"),
    ({"other_instalments_minor": 250_000}, "NOT_AFFORDABLE", "DEBT_SERVICE_TOO_HIGH"),
    # nobody lives on less than the policy's 600.00
    (
        {"income_stated_minor": 259_999, "living_costs_minor": 0},
        "NOT_AFFORDABLE",
        "DEBT_SERVICE_TOO_HIGH",
    ),
    # the lower of stated and confirmed income counts; a gap of more than a fifth is looked at
    (payroll(480_000), "AFFORDABLE", None),
    (payroll(479_999), "REFERRED", "INCOME_CONTRADICTORY"),
    (payroll(720_001), "REFERRED", "INCOME_CONTRADICTORY"),
    (payroll(399_999), "NOT_AFFORDABLE", "NOTHING_LEFT_TO_LIVE_ON"),
    (payroll(600_000, date(2025, 12, 5)), "AFFORDABLE", None),
    (payroll(600_000, date(2025, 12, 4)), "REFERRED", "INCOME_STALE"),
    # nothing asked for is always payable; without income nothing else is
    ({"income_stated_minor": 0, "instalment_minor": 0}, "AFFORDABLE", None),
    ({"income_stated_minor": 0, "instalment_minor": 1}, "NOT_AFFORDABLE", "DEBT_SERVICE_TOO_HIGH"),
]


@pytest.mark.parametrize(("different", "outcome", "reason"), TABLE)
def test_table(different: dict[str, Any], outcome: str, reason: str | None) -> None:
    """Each bound holds to the cent, and what fails it is the first reason."""
    found = assess(msgspec.structs.replace(SOUND, **different), POLICY)

    assert (found.outcome, next((one.code for one in found.reasons), None)) == (outcome, reason)


def test_the_figures() -> None:
    """Counted by hand: of 6,000.00 a third goes to debts, and 2,000.00 is left."""
    found = assess(SOUND, POLICY)

    assert found.debt_service_ratio == Decimal("0.3333")
    assert (found.disposable_minor, found.instalment_affordable_minor) == (200_000, 260_000)


MINOR = st.integers(0, 2_000_000)


@given(MINOR, MINOR, MINOR, MINOR, MINOR, st.none() | MINOR)
def test_the_largest_instalment_is_the_edge(
    instalment: int, income: int, living: int, debts: int, others: int, confirmed: int | None
) -> None:
    """Whatever somebody has: up to that instalment it is affordable, above it is not."""
    means = msgspec.structs.replace(
        SOUND,
        instalment_minor=instalment,
        income_stated_minor=income,
        living_costs_minor=living,
        debt_payments_minor=debts,
        other_instalments_minor=others,
        **({} if confirmed is None else payroll(confirmed)),
    )
    found = assess(means, POLICY)
    edge = msgspec.structs.replace(means, instalment_minor=found.instalment_affordable_minor)

    assert (found.outcome != "NOT_AFFORDABLE") == (instalment <= found.instalment_affordable_minor)
    assert assess(edge, POLICY).outcome != "NOT_AFFORDABLE"


def test_nobody_knew_it_then() -> None:
    """An income confirmed after the date asked about is refused, not used."""
    with pytest.raises(FactAfterDecision):
        assess(msgspec.structs.replace(SOUND, **payroll(1, date(2026, 3, 6))), POLICY)


@pytest.mark.parametrize("sample", ["risk_assessed.json", "risk_assessed_incomes.json"])
def test_a_stored_assessment_stays_what_it_was(sample: str) -> None:
    """What an earlier version kept is read, and made again to the same answer."""
    stored = msgspec.json.decode((CONTRACTS / sample).read_bytes(), type=Assessed)

    assert assess(stored.means, POLICIES.version(stored.assessment.policy_version)) == (
        stored.assessment
    )


def asked(number: int, **different: Any) -> dict[str, Any]:
    return {
        "requestId": f"plan-{number}",
        "borrowerRef": "B-1",
        "loanId": "L-00001",
        "assessedOn": "2026-03-05",
        "monthlyInstalment": cny(100_000),
        "monthlyIncome": cny(600_000),
        "monthlyLivingCosts": cny(200_000),
        "monthlyDebtPayments": cny(50_000),
        "monthlyOtherInstalments": cny(50_000),
        **different,
    }


WRONG = [
    ({"monthlyIncome": None}, "FIELD_MISSING"),
    ({"monthlyLivingCosts": {"amountMinor": "1", "currency": "EUR"}}, "CURRENCIES_DIFFER"),
    ({"monthlyDebtPayments": cny(-1)}, "AMOUNT_NOT_POSITIVE"),
    ({"assessedOn": "2026-02-30"}, "DATE_NOT_VALID"),
    ({"loanId": "?"}, "ID_NOT_VALID"),
    (
        {"verifiedIncome": {"source": "p", "verifiedOn": "2026-03-06", "monthly": cny(1)}},
        "FACT_AFTER_DECISION",
    ),
]


def test_an_assessment_is_made_once_and_again(risk: Service) -> None:
    """Through a real process: kept across a kill, replayed, nothing by validate_only."""
    only = risk.call(f"{API}/AssessAffordability", **asked(1, validateOnly=True))
    wanted = {"assessmentId": "plan-1"}
    assert refused_here(risk, "GetAffordabilityAssessment", **wanted) == (
        "not_found",
        "ASSESSMENT_NOT_FOUND",
    )

    first = risk.call(f"{API}/AssessAffordability", **asked(1))
    risk.kill()
    risk.start()

    assert {**only, "assessmentId": "plan-1"} == first
    assert first["outcome"] == "AFFORDABILITY_OUTCOME_AFFORDABLE"
    assert first["instalmentAffordableMinor"] == "260000"
    assert first == risk.call(f"{API}/AssessAffordability", **asked(1))
    assert first == risk.call(f"{API}/GetAffordabilityAssessment", **wanted)
    again = risk.call(f"{API}/ReplayAffordabilityAssessment", **wanted)
    assert again["identical"] and again["again"] == first
    other = refused_here(risk, "AssessAffordability", **asked(1, monthlyIncome=cny(1)))
    assert other == ("failed_precondition", "REQUEST_ID_REUSED")
    early = refused_here(risk, "AssessAffordability", **asked(2, assessedOn="2020-01-01"))
    assert early[1] == "NO_POLICY_IN_FORCE"
    for different, reason in WRONG:
        found = refused_here(risk, "AssessAffordability", **asked(3, **different))
        assert found == ("invalid_argument", reason)


def refused_here(risk: Service, method: str, **body: Any) -> tuple[str, str]:
    return refused(risk, method, api=API, **body)
