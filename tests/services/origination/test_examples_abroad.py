"""Loans abroad, as examples: disclosed by their law, and lent once risk has rules for them."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.origination.application.deciding import Deciding
from services.origination.config import OriginationSettings
from services.origination.domain.cost import Payment, all_in_cost
from services.origination.domain.state_machine import Status
from services.risk.config import RiskSettings
from services.risk.domain.decision import ProductUnknown
from shared.kernel.dates import add_months
from tests.cases.test_cases import CASES
from tests.services.origination.killing import NOW, contracted
from tests.services.origination.paying import Place
from tests.services.origination.room import Room, open_room
from tests.services.origination.test_apr import money

OUT_ON = date(1978, 1, 10)
ROWS = tomllib.loads(OriginationSettings().policies_file.read_text("utf-8"))["product"]


def monthly_us(given: dict[str, Any]) -> tuple[int, list[Payment]]:
    """Return what is received, and payments a month apart, of a case of Appendix J."""
    amounts = [given["payment"]] * given.get("n", given.get("n_regular", 0))
    amounts = [given[k] for k in ("first_payment",) if k in given] + amounts
    amounts += [given[k] for k in ("final_payment",) if k in given]
    rows = [Payment(add_months(OUT_ON, n), amount * 100) for n, amount in enumerate(amounts, 1)]
    return given["advance"] * 100, rows


def yearly_eu(given: dict[str, Any]) -> tuple[int, list[Payment]]:
    """Return the same of a case of the directive whose times are parts of a year."""
    rows = [Payment(add_months(OUT_ON, int(12 * t)), 100 * a) for a, t in given["repay"]]
    return (given["drawdown"] - given.get("fee_withheld", 0)) * 100, rows


PUBLISHED = [
    ("us", case, monthly_us(case["inputs"]))
    for case in CASES
    if case.get("category") == "apr_actuarial_us" and case["inputs"]["w"] == 12
] + [
    ("eu", case, yearly_eu(case["inputs"]))
    for case in CASES
    if case.get("category") == "apr_eu" and "date" not in case["inputs"]
]


@pytest.mark.parametrize(
    ("method", "case", "flows"), PUBLISHED, ids=[case["id"] for _, case, _ in PUBLISHED]
)
def test_what_is_disclosed_is_what_the_law_printed(
    method: str, case: dict[str, Any], flows: tuple[int, list[Payment]]
) -> None:
    """Every published case that a loan with months between its payments can be."""
    net, payments = flows

    said = Decimal(all_in_cost(net, 0, OUT_ON, payments).apr(method)) * 100

    assert abs(said - Decimal(str(case["expected"]))) <= Decimal(str(case["tolerance"]))


def test_there_are_cases_of_both_laws() -> None:
    """None is lost by another spelling."""
    assert [method for method, *_ in PUBLISHED].count("us") >= 4
    assert [method for method, *_ in PUBLISHED].count("eu") >= 3


def test_what_is_no_example_risk_knows() -> None:
    """An example's name says so; every other product is decided by each policy of risk."""
    ours = {row["code"] for row in ROWS if not row["code"].startswith("example-")}
    abroad = {row["code"] for row in ROWS if row.get("apr_method")}

    assert abroad == {"example-instalment-us", "example-instalment-eu"}
    for file in sorted(Path(RiskSettings().policy_folder).glob("cn-*.toml")):
        # A policy without a list decides on every product.
        assert ours <= set(tomllib.loads(file.read_text("utf-8")).get("products", ours)), file.name


def test_without_rules_of_risk_nothing_is_decided(place: Place) -> None:
    """The refusal says what is unknown; nobody asks again, and rules that come later decide."""
    body = {**place.form("nobody"), "product": "not-underwritten"}
    place.ask("SubmitApplication", "nobody", **body)

    said = place.refused("PRODUCT_UNKNOWN", "DecideApplication", "nobody")

    found = place.get("nobody")
    assert "not-underwritten" in said
    assert found["status"] == "APPLICATION_STATUS_SUBMITTED"
    assert [(line["step"], line.get("note")) for line in found["trail"]][1:] == [
        ("refuse", "PRODUCT_UNKNOWN")
    ]


def test_it_is_lent_in_its_own_currency(place: Place) -> None:
    """Its limits are amounts of that currency, and its law is a country's."""
    yuan = {key: money(300_000, "CNY") for key in ("amount", "monthlyIncome")}
    body = {**place.form("yuan"), **yuan, "monthlyDebtPayments": money(0, "CNY")}

    said = place.refused(
        "CURRENCY_NOT_LENT", "SubmitApplication", "yuan", **body | {"product": US["code"]}
    )

    assert "USD" in said


US = next(row for row in ROWS if row["code"] == "example-instalment-us")


def test_a_us_disclosure_adds_up(place: Place) -> None:
    """Amount financed and finance charge are the total of payments, by the names of the law."""
    name = "adds-up"
    usd = {key: money(300_000, "USD") for key in ("amount", "monthlyIncome")}
    place.offer(name, product=US["code"], **usd, monthlyDebtPayments=money(0, "USD"))
    shown = place.ask("ShowDisclosure", name)
    total = sum(
        int(row["principalDueMinor"]) + int(row["interestDueMinor"]) for row in shown["instalments"]
    )

    assert (
        f"Finance charge: {(total - 300_000) / 100:,.2f}. Amount financed: 3,000.00."
        f" Total of payments: {total / 100:,.2f}." in shown["textEn"]
    )


class NoRules:
    """A risk service whose policy does not know the product."""

    asked = 0

    async def ScoreApplication(self, request: Any) -> Any:
        self.asked += 1
        raise ProductUnknown(f"{request.product!r} is unknown", field="product")


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    async with open_room(tmp_path) as made:
        yield made


async def test_what_waited_for_risk_is_not_asked_for_ever(room: Room) -> None:
    """Queued while risk was away, refused when it is back: the trail says so, once."""
    given = {"status": Status.SUBMITTED, "terms_json": "", "contract_sha256": "", "signatures": ()}
    await room.store(msgspec.structs.replace(contracted(), **given, queued_at=NOW))
    risk = NoRules()
    deciding = Deciding(replace(room.desk), risk, {})

    for _ in range(3):
        await deciding.resume()

    found = await room.desk.load("A-1")
    assert (risk.asked, deciding.waiting, found.queued_at) == (1, set(), None)
    assert [line.note for line in found.trail if line.step == "refuse"] == ["PRODUCT_UNKNOWN"]
