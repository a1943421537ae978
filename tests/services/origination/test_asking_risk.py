"""What risk is asked: all that its policy looks at, on the day it is asked."""

from __future__ import annotations

from datetime import date

import msgspec

from services.origination.application.asking import score_request
from services.origination.domain.application import Application, ConfirmedIncome
from tests.services.origination.paying import Place
from tests.stories.three_loans import cny

ON = date(2026, 1, 9)
GIVEN = Application(
    application_id="A-1",
    borrower_ref="B-1",
    applicant_name="Han Meimei",
    identity_number="X",
    product="consumer-2026",
    currency="CNY",
    amount_minor=1_200_000,
    instalments=12,
    method="REPAYMENT_METHOD_LEVEL_INSTALMENT",
    monthly_income_minor=1_000_000,
    monthly_debt_payments_minor=0,
    other_lenders=0,
    enquiries_30d=0,
    age_years=34,
    purpose="radio/television",
    attributes={},
    applied_on=date(2026, 1, 5),
    region="SH",
    partner_ref="P-1",
    income=ConfirmedIncome(source="payroll", verified_on=date(2026, 1, 4), monthly_minor=900_000),
)


def test_risk_is_told_what_its_policy_looks_at() -> None:
    """Region, partner, purpose and confirmed income go along; the date is that of asking."""
    asked = score_request(GIVEN, 100_000, ON)

    assert (asked.region, asked.partner_ref, asked.purpose) == ("SH", "P-1", "radio/television")
    assert asked.verified_income.monthly.amount_minor == 900_000
    assert asked.decided_on == "2026-01-09"


def test_an_answer_lost_yesterday_stands_in_nobodys_way() -> None:
    """The same again has the same id; another day or another guarantee is another question."""
    first, again = score_request(GIVEN, 100_000, ON), score_request(GIVEN, 100_000, ON)
    later = score_request(GIVEN, 100_000, date(2026, 1, 10))
    long = msgspec.structs.replace(GIVEN, application_id="A" * 38)

    assert first.request_id == again.request_id != later.request_id
    assert len(score_request(long, 1, ON).request_id) <= 64


def test_what_is_submitted_reaches_risk(place: Place) -> None:
    """The decision's inputs are those of the form; an income in another currency is refused."""
    income = {"source": "payroll", "verifiedOn": "2026-01-04", "monthly": cny(950_000)}
    form = {"region": "SH", "partnerRef": "P-1", "verifiedIncome": income}
    place.offer("told", **form)
    told = place.suite.call("risk", "ExplainDecision", applicationId="told")["inputsJson"]
    euros = {**income, "monthly": {"amountMinor": "1", "currency": "EUR"}}
    body = {**place.form("euros"), "verifiedIncome": euros}

    assert '"region":"SH"' in told and '"partner_ref":"P-1"' in told and '"payroll"' in told
    assert f'"decided_on":"{place.today()}"' in told
    place.refused("CURRENCIES_DIFFER", "SubmitApplication", "euros", **body)
