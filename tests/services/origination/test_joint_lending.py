"""What a partner funds, and whose income may be asked for: from the form to risk's rules."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from services.risk.config import RiskSettings
from tests.services.origination.paying import Bank, Place
from tests.services.risk.asking import refusal
from tests.stories.conftest import start_suite
from tests.stories.three_loans import cny
from tests.system.processes import free_port

API, TODAY = "lending.origination.v1.OriginationService", "2026-12-01"
CAPITAL = {"tier_one_minor = 40_000_000_000": "tier_one_minor = 8_000_000"}
"""A small lender: loans with one partner are at most 20,000.00, a quarter of its capital."""


@pytest.fixture(scope="module")
def lender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The suite of a small lender in December 2026, whose risk asks a folder for incomes."""
    suite = start_suite(tmp_path_factory.mktemp("joint"), None)
    policies, incomes = suite.folder / "underwriting", suite.folder / "incomes"
    shutil.copytree(RiskSettings().policy_folder, policies)
    newest = policies / "cn-consumer-2026-12.toml"
    for before, after in CAPITAL.items():
        assert before in newest.read_text("utf-8")
        newest.write_text(newest.read_text("utf-8").replace(before, after), "utf-8")
    incomes.mkdir()
    risk = suite.services["risk"]
    risk.stop()
    risk.environment["RISK_POLICY_FOLDER"] = str(policies)
    risk.environment["RISK_INCOME_FOLDER"] = str(incomes)
    risk.start()
    found = Place(suite, Bank(free_port()))
    found.advance(TODAY)
    yield found
    suite.stop()


def decided(lender: Place, name: str, **body: Any) -> tuple[str, list[str]]:
    """Submit an application and have it decided; return its status and the rules that failed."""
    found = lender.offer(name, **body)
    why = lender.suite.call("risk", "ExplainDecision", applicationId=name)
    failed = [one["code"] for one in why["rules"] if one.get("failed")]
    reasons = [one["code"] for one in found["decision"].get("reasons", [])]
    assert set(failed) <= set(reasons)
    return found["status"].removeprefix("APPLICATION_STATUS_"), failed


def funds(share: str, partner: str) -> dict[str, Any]:
    return {"partnerRef": partner, "partnerShare": share}


def test_a_partner_who_funds_too_little_is_declined(lender: Place) -> None:
    """Thirty of a hundred are needed; who only brings the loan funds nothing, and needs nothing."""
    low = decided(lender, "low", **funds("0.29", "P-low"))
    enough = decided(lender, "enough", **funds("0.30", "P-low"))
    brought = decided(lender, "brought", **funds("", "P-low"))
    nothing = decided(lender, "nothing", **funds("0.00", "P-low"))

    assert low == ("DECLINED", ["JOINT_SHARE_TOO_LOW"])
    assert enough == brought == nothing == ("OFFERED", [])


def test_lending_with_one_partner_has_a_limit(lender: Place) -> None:
    """The second loan of 12,000.00 passes 20,000.00 and goes to people; another's does not."""
    first = decided(lender, "first", **funds("0.5", "P-1"))
    second = decided(lender, "second", **funds("0.5", "P-1"))
    other = decided(lender, "other", **funds("0.5", "P-2"))

    assert first == other == ("OFFERED", [])
    assert second == ("REFERRED", ["JOINT_PARTNER_LIMIT"])


def test_an_offer_that_lapses_leaves_room(lender: Place) -> None:
    """A joint loan that is withdrawn counts no more: the next with the partner is offered."""
    decided(lender, "lapses", **funds("0.5", "P-3"))
    lender.ask("WithdrawApplication", "lapses")

    def free() -> bool:
        found = lender.suite.call("risk", "GetExposure", currency="CNY")
        rows = next(d for d in found["concentrations"] if d["dimension"] == "partner")
        return "P-3" not in {row["value"] for row in rows.get("largest", [])}

    lender.suite.until(free, "risk hears of the withdrawal")

    assert decided(lender, "next", **funds("0.5", "P-3")) == ("OFFERED", [])


def test_what_a_draft_says_of_its_partner_is_submitted(lender: Place) -> None:
    """A share saved with the draft is the one that is decided on."""
    form = {**lender.form("draft"), **funds("0.2", "P-4"), "requestId": "draft-save"}
    lender.ask("SaveDraft", "draft", **form)
    lender.ask("SubmitApplication", "draft")
    found = lender.ask("DecideApplication", "draft")

    assert found["decision"]["reasons"][0]["code"] == "JOINT_SHARE_TOO_LOW"


def test_an_income_is_asked_for_with_the_borrowers_consent(lender: Place) -> None:
    """With a consent on the form risk asks its source; without, what the form says counts."""
    income = {"currency": "CNY", "source": "social-insurance", "confirmation_id": "c-1"}
    for name in ("consents", "silent"):
        body = {**income, "borrower_ref": f"B-{name}", "verified_on": TODAY, "monthly_minor": 1}
        file = lender.suite.folder / "incomes" / f"B-{name}.CNY.json"
        file.write_text(json.dumps({**body, "monthly_minor": 700_000}))
    _, asked = decided(lender, "consents", incomeConsentedOn="2026-11-30")
    told = lender.suite.call("risk", "ExplainDecision", applicationId="consents")["inputsJson"]

    assert asked == ["INCOME_CONTRADICTORY"]
    assert json.loads(told)["income_consented_on"] == "2026-11-30"
    assert decided(lender, "silent") == ("OFFERED", [])


FUTURE = {"source": "payroll", "verifiedOn": "2026-12-02", "monthly": cny(1_000_000)}
WRONG = [
    # what is wrong with the form           | reason, field
    ({"partnerShare": "0.3"}, "FIELD_MISSING", "partner_ref"),
    (funds("1.01", "P-1"), "SHARE_NOT_VALID", "partner_share"),
    (funds("0.3333333", "P-1"), "SHARE_NOT_VALID", "partner_share"),
    (funds("-0.3", "P-1"), "SHARE_NOT_VALID", "partner_share"),
    (funds("NaN", "P-1"), "DECIMAL_NOT_PLAIN", "partner_share"),
    (funds("30%", "P-1"), "DECIMAL_NOT_PLAIN", "partner_share"),
    ({"incomeConsentedOn": "2026-12-02"}, "FACT_NOT_YET_KNOWN", "income_consented_on"),
    ({"incomeConsentedOn": "yes"}, "DATE_NOT_VALID", "income_consented_on"),
    ({"verifiedIncome": FUTURE}, "FACT_NOT_YET_KNOWN", "verified_income.verified_on"),
]


@pytest.mark.parametrize(("body", "reason", "field"), WRONG)
def test_what_cannot_be_is_named(
    lender: Place, body: dict[str, Any], reason: str, field: str
) -> None:
    """A share of nobody, beyond the whole or no number, a day to come: by field and expected."""
    form = {**lender.form("wrong"), **body}
    found = refusal(lender.suite.services["origination"], "SubmitApplication", API, **form)

    assert (found.code, found.reason, found.field) == ("invalid_argument", reason, field)
    assert found.expected
