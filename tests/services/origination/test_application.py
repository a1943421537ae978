"""An application's steps as a table, and what a loan costs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from services.origination.domain import application as domain
from services.origination.domain.application import Application, Status
from services.origination.domain.cost import all_in_rate_annual

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
APPLICATION = Application(
    application_id="A-1",
    borrower_ref="B-1",
    applicant_name="Li Lei",
    identity_number="X",
    product="consumer-2026",
    currency="CNY",
    amount_minor=100,
    instalments=1,
    method="REPAYMENT_METHOD_BULLET",
    monthly_income_minor=1,
    monthly_debt_payments_minor=0,
    other_lenders=0,
    enquiries_30d=0,
    age_years=30,
    purpose="radio",
    attributes={},
    applied_on=date(2026, 1, 5),
)

STEPS = {
    "decide": lambda a: domain.decided(a, "APPROVED", "{}", "{}"),
    "show": lambda a: domain.disclosed(a, "h", NOW),
    "confirm": lambda a: domain.confirmed(a, "h", NOW + timedelta(seconds=10), 10),
    "accept": lambda a: domain.contracted(a, "c"),
    "disburse": lambda a: domain.moved(a, "disburse", Status.DISBURSED),
    "withdraw": lambda a: domain.moved(a, "withdraw", Status.WITHDRAWN),
}
ALLOWED = """
SUBMITTED  | decide withdraw
OFFERED    | show withdraw
DECLINED   | withdraw
REFERRED   | withdraw
DISCLOSED  | show confirm withdraw
CONFIRMED  | accept withdraw
CONTRACTED | disburse withdraw
DISBURSING | disburse
DISBURSED  |
WITHDRAWN  |
"""
ROWS = [
    (status.strip(), step, step in steps.split())
    for status, steps in (line.split("|") for line in ALLOWED.strip().splitlines())
    for step in STEPS
]


@pytest.mark.parametrize(("status", "step", "allowed"), ROWS)
def test_steps_happen_in_order(status: str, step: str, allowed: bool) -> None:
    """A step begins only where the table lets it; refused, it names where the application is."""
    application = msgspec.structs.replace(
        APPLICATION, status=Status(status), disclosure_sha256="h", disclosed_at=NOW
    )

    if allowed:
        assert STEPS[step](application).status != Status.SUBMITTED
    else:
        with pytest.raises(domain.StepOutOfOrder, match=status):
            STEPS[step](application)


READING = [(9, False), (10, True), (11, True)]


@pytest.mark.parametrize(("seconds", "enough"), READING)
def test_a_disclosure_is_read_for_a_minimum_time(seconds: int, enough: bool) -> None:
    """Confirmed sooner than ten seconds after it was shown, it was not read."""
    shown = domain.disclosed(msgspec.structs.replace(APPLICATION, status=Status.OFFERED), "h", NOW)

    at = NOW + timedelta(seconds=seconds)
    if enough:
        assert domain.confirmed(shown, "h", at, 10).status is Status.CONFIRMED
    else:
        with pytest.raises(domain.DisclosureReadTooBriefly):
            domain.confirmed(shown, "h", at, 10)


def test_the_flat_fee_trap() -> None:
    """Twelve payments of 1,072.00 on 12,000.00 look like 7.2 % and cost 13.03 %."""
    rate = all_in_rate_annual(1_200_000, [107_200] * 12)

    assert rate == Decimal("0.1303")
