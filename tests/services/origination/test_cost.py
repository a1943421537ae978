"""What a loan costs, and rules as dated rows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from services.ledger.domain.ceilings import all_in_rate
from services.ledger.domain.replay import timeline
from services.ledger.domain.terms import RepaymentMethod, Terms
from services.origination.adapters.policy_file import read_policies
from services.origination.config import OriginationSettings
from services.origination.domain.cost import Payment, all_in_cost
from services.origination.domain.products import ProductNotYetOffered, ProductUnknown
from shared.kernel.dates import DayCount, add_months

START = date(2026, 1, 5)
POLICIES = read_policies(OriginationSettings().policies_file)


def monthly(amount: int, times: int) -> list[Payment]:
    return [Payment(add_months(START, n), amount) for n in range(1, times + 1)]


def test_the_flat_fee_trap() -> None:
    """Twelve payments of 1,072.00 on 12,000.00 look like 7.2 % and cost 13.03 %."""
    cost = all_in_cost(1_200_000, 0, START, monthly(107_200, 12))

    assert cost.nominal_annual == Decimal("0.1303")
    assert cost.effective_annual == Decimal("0.1384")
    assert cost.cost_minor == 86_400


FEES = [
    # fee paid at payout, minor | all-in nominal | received
    (0, "0.1200", 1_200_000),
    (12_000, "0.1391", 1_188_000),
    (24_000, "0.1586", 1_176_000),
    (60_000, "0.2186", 1_140_000),
]


@pytest.mark.parametrize(("fee", "nominal", "received"), FEES)
def test_a_fee_is_part_of_the_rate(fee: int, nominal: str, received: int) -> None:
    """The rate is on what the borrower receives, not on what is written."""
    cost = all_in_cost(1_200_000, fee, START, monthly(106_619, 12))

    assert (str(cost.nominal_annual), cost.net_proceeds_minor) == (nominal, received)


def test_us_and_eu_rates_of_one_loan_differ() -> None:
    """Appendix J's first example: 9.69 % nominal is not the directive's effective rate."""
    payments = [Payment(add_months(date(1978, 1, 10), n), 23_000) for n in range(1, 25)]

    cost = all_in_cost(500_000, 0, date(1978, 1, 10), payments)

    assert (str(cost.apr_us), str(cost.apr_eu)) == ("0.0969", "0.1013")


ROWS = [
    # code                 | on                 | row in force, or what is refused
    ("consumer-2026", date(2025, 9, 30), "consumer-2026@2020-01-01"),
    ("consumer-2026", date(2025, 10, 1), "consumer-2026@2025-10-01"),
    ("consumer-graded", date(2025, 12, 31), ProductNotYetOffered),
    ("gold", date(2026, 1, 1), ProductUnknown),
]


@pytest.mark.parametrize(("code", "on", "said"), ROWS)
def test_the_row_in_force_on_the_date(code: str, on: date, said: object) -> None:
    """An application goes by the row of its own date; before the first there is none."""
    if isinstance(said, str):
        assert POLICIES.product_on(code, on).version == said
    else:
        with pytest.raises(said):
            POLICIES.product_on(code, on)


GRADES = [
    ("0.0999", "A", "0.09"),
    ("0.10", "B", "0.12"),
    ("0.1999", "B", "0.12"),
    ("0.5", "C", "0.15"),
]


@pytest.mark.parametrize(("probability", "grade", "rate"), GRADES)
def test_the_grade_prices(probability: str, grade: str, rate: str) -> None:
    """A probability of default on the edge belongs to the dearer grade."""
    product = POLICIES.product_on("consumer-graded", START)

    assert product.rate_for(Decimal(probability)) == (grade, Decimal(rate))


ONE_MONTH = [
    # paid out on    | due on
    (date(2026, 2, 1), date(2026, 3, 1)),
    (date(2026, 12, 31), date(2027, 1, 31)),
    (date(2026, 3, 10), date(2026, 4, 20)),
]


@pytest.mark.parametrize(("paid_out_on", "due_on"), ONE_MONTH)
def test_the_ledger_holds_the_same_rate_against_its_ceiling(
    paid_out_on: date, due_on: date
) -> None:
    """What is disclosed as the cost of a year is what the ledger compares with the ceiling."""
    terms = Terms(
        currency="CNY",
        principal_minor=1_000_000,
        rate_annual=Decimal("0.24"),
        method=RepaymentMethod.LEVEL_INSTALMENT,
        day_count=DayCount.THIRTY_360,
        instalments=1,
        months_per_instalment=1,
        first_due_on=due_on,
        grace_days=0,
        penalty_rate_annual=Decimal(0),
    )
    line = timeline(terms, paid_out_on, (), paid_out_on)

    row = line.rows[0]
    payments = [Payment(row.due_on, row.principal_due + row.interest_due)]
    cost = all_in_cost(terms.principal_minor, 0, paid_out_on, payments)

    assert cost.nominal_annual == round(all_in_rate(line), 4)
