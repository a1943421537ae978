"""What is odd about an application, line by line of the README, through the API."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import cycle
from typing import Any, NamedTuple

import pytest

from shared.runtime.nats_server import start_nats
from tests.services.risk.asking import API, asked, cny, refusal, reported, risk_running
from tests.services.risk.desks import desk_open
from tests.services.risk.test_bureau import REPORT
from tests.services.risk.test_incomes import INCOME
from tests.system.processes import ROOT, CallRefused, Service, free_port

README = ROOT / "services" / "risk" / "README.md"
ON = "2026-04-05"


class Case(NamedTuple):
    """What is different about an application that is approved, and what comes of it."""

    different: dict[str, Any]
    outcome: str
    codes: tuple[str, ...] = ()
    ratio: str = "0.1700"
    before: dict[str, Any] | None = None


def refuses(reason: str, **different: Any) -> Case:
    return Case(different, "refused", (reason,))


def refers(*codes: str, ratio: str = "0.1700", **different: Any) -> Case:
    return Case(different, "REFERRED", codes, ratio)


def approves(*, ratio: str = "0.1700", **different: Any) -> Case:
    return Case(different, "APPROVED", (), ratio)


def payroll(monthly_minor: int, on: str = "2026-04-01") -> dict[str, Any]:
    income = {"source": "payroll", "verifiedOn": on, "monthly": cny(monthly_minor)}
    return {"verifiedIncome": income}


def report(on: str = "2026-04-04", **different: Any) -> dict[str, Any]:
    return {"bureauReport": reported(**{"reportedOn": on, "consentedOn": on, **different})}


def large(amount_minor: int = 5_000_000) -> dict[str, Any]:
    """Return what is asked for by somebody who earns enough."""
    income = {"monthlyIncome": cny(1_000_000), "monthlyInstalment": cny(170_000)}
    return {"amount": cny(amount_minor), "instalments": 36, **income}


def unknown(count: int) -> dict[str, Any]:
    """Return attributes of which so many have no class, each in another way."""
    given = dict(asked(1)["attributes"])
    ways = cycle(["NaN", "inf", "-Infinity", "1e999", "", "gold"])
    own = {"credit_amount", "duration_in_month", "purpose"}
    # The numbers first: they meet what is no number.
    names = sorted(given.keys() - own, key=lambda name: not given[name].isdigit())
    return {"attributes": {**given, **dict(zip(names[:count], ways, strict=False))}}


AFTER, UNUSABLE = "FACT_AFTER_DECISION", "INCOME_CONFIRMATION_UNUSABLE"
CONSENT = {"incomeConsentedOn": ON}
GIVEN = payroll(1_000_000)
MISSING = "BUREAU_REPORT_MISSING"
DECEMBER = {"decidedOn": "2026-12-01", "amount": cny(600_000), "monthlyIncome": cny(500_000)}
TOLD: dict[str, str] = {
    "reports/B-unread": "not JSON",
    "reports/B-part": json.dumps({"borrower_ref": "B-part", "currency": "CNY", "lenders": 0}),
    "reports/B-other": json.dumps(REPORT),
    "reports/B-future": json.dumps(
        {**REPORT, "borrower_ref": "B-future", "reported_on": "2026-04-06"}
    ),
    "reports/B-many": json.dumps(
        {**REPORT, "borrower_ref": "B-many", "reported_on": "2026-04-04", "lenders": 9}
    ),
    "incomes/B-unread-income": '{"monthly_minor": NaN}',
    "incomes/B-part-income": json.dumps({**INCOME, "monthly_minor": None}),
    "incomes/B-other-income": json.dumps(INCOME),
    "incomes/B-future-income": json.dumps(
        {**INCOME, "borrower_ref": "B-future-income", "verified_on": "2026-04-06"}
    ),
    "incomes/B-less": json.dumps({**INCOME, "borrower_ref": "B-less", "monthly_minor": 79_999}),
    "incomes/B-same": json.dumps({**INCOME, "borrower_ref": "B-same", "monthly_minor": 90_000}),
}
"""What the sources say, by what is asked for and the borrower."""

ODD: dict[str, list[Case]] = {
    "a report, consent or confirmation dated after the decision": [
        refuses(AFTER, **report("2026-04-06")),
        refuses(AFTER, **report(consentedOn="2026-04-06")),
        refuses(AFTER, **payroll(100_000, "2026-04-06")),
        refuses(AFTER, incomeConsentedOn="2026-04-06"),
    ],
    "no bureau report, from 50,000.00 on; older than 30 days; no consent": [
        refers(MISSING, **large(), **GIVEN),
        approves(**large(4_999_999), **GIVEN),
        refers("BUREAU_REPORT_STALE", **report("2026-03-05", lenders=9)),
        Case(report("2026-03-06", lenders=9), "DECLINED", ("TOO_MANY_LENDERS",)),
        refers("BUREAU_CONSENT_MISSING", **report(consentedOn="", lenders=9)),
    ],
    "what a source has is unreadable, incomplete, of another borrower or from after the decision": [
        refers("BUREAU_REPORT_UNUSABLE", borrowerRef="B-unread"),
        refers("BUREAU_REPORT_UNUSABLE", borrowerRef="B-part"),
        refers("BUREAU_REPORT_UNUSABLE", borrowerRef="B-other"),
        refers("BUREAU_REPORT_UNUSABLE", borrowerRef="B-future"),
        Case({"borrowerRef": "B-many"}, "DECLINED", ("TOO_MANY_LENDERS",)),
        refers(UNUSABLE, borrowerRef="B-unread-income", **CONSENT),
        refers(UNUSABLE, borrowerRef="B-part-income", **CONSENT),
        refers(UNUSABLE, borrowerRef="B-other-income", **CONSENT),
        refers(UNUSABLE, borrowerRef="B-future-income", **CONSENT),
    ],
    "a source fails or is late; no consent to ask for the income": [
        approves(borrowerRef="B-slow", **CONSENT),
        refers(MISSING, "INCOME_NOT_CONFIRMED", borrowerRef="B-slow", **large(), **CONSENT),
        refers(MISSING, "INCOME_NOT_CONFIRMED", borrowerRef="B-rude", **large(), **CONSENT),
        refers(MISSING, "INCOME_NOT_CONFIRMED", borrowerRef="B-ill", **large(), **CONSENT),
        approves(borrowerRef="B-less"),
        refers("INCOME_NOT_CONFIRMED", borrowerRef="B-less", **large(), **report()),
    ],
    "confirmed income off by more than a fifth of what is stated, or of what was confirmed of the"
    " borrower before; confirmation older than 90 days": [
        approves(ratio="0.2125", **payroll(80_000)),
        refers("INCOME_CONTRADICTORY", ratio="0.2125", **payroll(79_999)),
        refers("INCOME_CONTRADICTORY", **payroll(120_001)),
        # The source says less than is stated.
        refers("INCOME_CONTRADICTORY", ratio="0.2125", borrowerRef="B-less", **CONSENT),
        # Stated 1,000, from the source 900, and 1,190 are brought when it is asked again.
        Case(
            {"borrowerRef": "B-same", **payroll(119_000)},
            *("REFERRED", ("INCOME_CONTRADICTORY",), "0.1889"),
            before={"borrowerRef": "B-same", **CONSENT},
        ),
        # A confirmation that came before is left out now.
        Case({}, "REFERRED", ("INCOME_CONTRADICTORY",), "0.2152", before=payroll(79_000)),
        refers("INCOME_STALE", **payroll(100_000, "2026-01-04")),
        approves(**payroll(100_000, "2026-01-05")),
    ],
    "no confirmed income, from 50,000.00 on (from April 2026)": [
        refers("INCOME_NOT_CONFIRMED", **large(), **report()),
        approves(**large(), **report(), **GIVEN),
        approves(**large(4_999_999), **report()),
        approves(**large(), **report("2026-03-30"), decidedOn="2026-03-31"),
    ],
    "an instalment below the amount over the number of instalments (from December 2026)": [
        refers("INSTALMENT_TOO_LOW", ratio="0.2000", **DECEMBER, monthlyInstalment=cny(99_999)),
        approves(ratio="0.2000", **DECEMBER, monthlyInstalment=cny(100_000)),
        approves(ratio="0.0340", **{**DECEMBER, "decidedOn": "2026-11-30"}),
    ],
    "NaN, infinity, empty or unknown attributes": [
        refers("TOO_LITTLE_KNOWN", **unknown(8)),
    ],
    "more than 100 attributes, or one of more than 200 characters": [
        refuses("NUMBER_OUT_OF_RANGE", attributes={f"a{n}": "1" for n in range(101)}),
        refuses("TEXT_TOO_LONG", attributes={"housing": "r" * 201}),
    ],
    "a product that the policy does not have; no policy on the date": [
        refuses("PRODUCT_UNKNOWN", product="gold"),
        refuses("NO_POLICY_IN_FORCE", decidedOn="2019-12-31"),
    ],
}
"""By the line of the README: each side of its bound."""


@pytest.fixture(scope="module")
def risk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Risk that asks a bureau and a source of incomes, and waits for half a second."""
    folder, port = tmp_path_factory.mktemp("odd"), free_port()
    nats = start_nats(folder / "nats", port)
    with desk_open() as desk:
        desk.bodies |= TOLD
        desk.codes |= {"reports/B-ill": 500, "incomes/B-ill": 503}
        settings = {
            f"RISK_{one}": value
            for kind in ("BUREAU", "INCOME")
            for one, value in {f"{kind}_URL": desk.url, f"{kind}_TIMEOUT_SECONDS": "0.5"}.items()
        }
        with risk_running(folder, f"nats://127.0.0.1:{port}", **settings) as service:
            yield service
    nats.terminate()
    nats.wait()


def lines() -> dict[str, set[str]]:
    """Return the lines of the README's table, with the reasons that each names."""
    table = README.read_text().partition("| what is odd | what happens |\n")[2].split("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[1:]]
    return {odd: set(re.findall(r"[A-Z]+(?:_[A-Z]+)+", happens)) for odd, happens in rows}


def test_every_line_is_tested() -> None:
    """The README says what these tests show, and names the reasons that they meet."""
    met = {odd: {code for one in cases for code in one.codes} for odd, cases in ODD.items()}

    assert list(lines()) == list(ODD)
    assert {odd: named - met[odd] for odd, named in lines().items() if named - met[odd]} == {}


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.split(";")[0][:60])
def test_what_is_odd(risk: Service, odd: str) -> None:
    """Refused with field and expected, or decided as stated, and made again to the same answer."""
    for place, case in enumerate(ODD[odd]):
        name = f"A-{list(ODD).index(odd)}-{place}"
        form = {**asked(1), "applicationId": name, "borrowerRef": name, "decidedOn": ON}
        if case.before is not None:
            first = {**form, "requestId": f"score-{name}-before", **case.before}
            risk.call(f"{API}/ScoreApplication", **first)
        form = {**form, "requestId": f"score-{name}", **case.different}

        assert (place, *come_of(risk, form)) == (place, case.outcome, case.codes, case.ratio)


def come_of(risk: Service, form: dict[str, Any]) -> tuple[str, tuple[str, ...], str]:
    """Return what a request led to: outcome, rules that failed, ratio of payments to income."""
    name = form["applicationId"]
    try:
        found = risk.call(f"{API}/ScoreApplication", **form)
    except CallRefused:
        said = refusal(risk, "ScoreApplication", **form)
        assert said.field and said.expected
        return "refused", (said.reason,), "0.1700"
    why = risk.call(f"{API}/ExplainDecision", applicationId=name)
    assert risk.call(f"{API}/ReplayDecision", applicationId=name)["identical"]
    failed = tuple(one["code"] for one in why["rules"] if one.get("failed"))
    return found["outcome"].rpartition("_")[2], failed, why["debtServiceRatio"]


@pytest.mark.parametrize("count", [1, 7, 8])
def test_what_is_no_number_is_missing(risk: Service, count: int) -> None:
    """NaN, infinity, empty and unknown earn what is missing; up to seven of twelve are borne."""
    form = {**asked(1), "applicationId": f"A-nan-{count}", "requestId": f"score-nan-{count}"}
    found = risk.call(f"{API}/ScoreApplication", **{**form, **unknown(count)})
    why = risk.call(f"{API}/ExplainDecision", applicationId=f"A-nan-{count}")
    codes = {one["code"] for one in why["rules"] if one.get("failed")}

    assert sum(one.get("missing", False) for one in why["points"]) == count
    assert ("TOO_LITTLE_KNOWN" in codes) == (count > 7)
    assert found["score"] == why["basePoints"] + sum(one.get("points", 0) for one in why["points"])
