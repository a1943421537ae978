"""A product of US or EU law: from its row to the disclosure it is that law's annual rate."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from services.origination.adapters.policy_file import read_policies
from tests.services.origination.paying import Place
from tests.services.origination.test_review_and_disclosure import document

FEE = 2_500


def money(amount: int, currency: str) -> dict[str, Any]:
    return {"amountMinor": str(amount), "currency": currency}


def monthly_rate(net: int, payments: list[int]) -> float:
    """Return the rate at which payments a month apart are worth what was received."""
    low, high = 0.0, 1.0
    for _ in range(200):
        rate = (low + high) / 2
        worth = sum(paid / (1 + rate) ** n for n, paid in enumerate(payments, 1))
        low, high = (rate, high) if worth > net else (low, rate)
    return low


LAWS: list[tuple[str, str, str, Callable[[float], float], str, str]] = [
    # product | currency | method | rate a year of a rate a month | what it is called, en and zh
    (
        "example-instalment-us",
        "USD",
        "us",
        lambda i: 12 * i,
        "Annual percentage rate (Regulation Z, Appendix J)",
        "年百分率（美国 Z 条例附录 J）",
    ),
    (
        "example-instalment-eu",
        "EUR",
        "eu",
        lambda i: (1 + i) ** 12 - 1,
        "Annual percentage rate of charge (Directive 2008/48/EC, since 20 November 2026 "
        "Directive (EU) 2023/2225)",
        "年费用百分率（欧盟 2008/48/EC 指令",
    ),
]


@pytest.mark.parametrize(("product", "currency", "method", "a_year", "en", "zh"), LAWS)
def test_the_rate_that_the_law_asks_for(
    place: Place,
    product: str,
    currency: str,
    method: str,
    a_year: Callable[[float], float],
    en: str,
    zh: str,
) -> None:
    """It counts a fee to somebody else; text, page and paper say it."""
    name = f"law-{method}"
    place.offer(
        name,
        product=product,
        amount=money(300_000, currency),
        monthlyIncome=money(600_000, currency),
        monthlyDebtPayments=money(0, currency),
        instalments=24,
    )
    thing = {"description": "car", "valueMinor": "900000", "valuedOn": place.today()}
    place.ask(
        "AddGuarantee",
        name,
        kind="GUARANTEE_KIND_COLLATERAL",
        providerRef=f"car-{method}",
        guaranteeId=f"car-{method}",
        amount=money(100_000, currency),
        fee=money(FEE, currency),
        collateral=thing,
    )
    shown = place.ask("ShowDisclosure", name)
    payments = [
        int(row["principalDueMinor"]) + int(row["interestDueMinor"]) for row in shown["instalments"]
    ]

    expected = a_year(monthly_rate(300_000 - FEE, payments))

    assert shown["aprMethod"] == method
    assert abs(float(shown["apr"]) - expected) <= 0.00005
    said = f"{(Decimal(shown['apr']) * 100).normalize():f} %"
    assert f"{en}: {said}" in " ".join(shown["textEn"].split())
    assert zh in shown["textZh"]
    assert said in shown["textZh"]
    page = document(place, name, "DISCLOSURE", "HTML", "en").decode()
    assert f": {said}" in page
    paper = document(place, name, "DISCLOSURE", "PDF", "en")
    assert paper.startswith(b"%PDF")


def test_a_product_without_such_law_names_no_such_rate(place: Place) -> None:
    """China's all-in cost stands alone."""
    place.offer("no-apr")
    shown = place.ask("ShowDisclosure", "no-apr")

    assert "apr" not in shown
    assert "Annual percentage rate" not in shown["textEn"]


def test_a_law_that_nobody_knows_stops_the_service(tmp_path: Any) -> None:
    """A row that says US in capitals would show no rate at all: it is named at the start."""
    rows = tmp_path / "policies.toml"
    rows.write_text(
        """[[product]]
code = "x"
effective_from = 2026-01-01
rate_annual = "0.1"
day_count = "DAY_COUNT_ACT_360"
grace_days = 0
penalty_rate_annual = "0.1"
apr_method = "US"
""",
        "utf-8",
    )

    with pytest.raises(msgspec.ValidationError, match="apr_method"):
        read_policies(rows)
