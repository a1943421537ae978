"""Confirmed incomes from files and over HTTP: there, missing, broken, slow, or contradictory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from services.risk.adapters.sources import INCOMES, source_of
from services.risk.application.ports import Source, Unusable
from services.risk.domain.application import VerifiedIncome
from tests.services.risk.asking import API, asked, cny, refused, reported, risk_asking, risk_running
from tests.services.risk.desks import SLOW_SECONDS, Desk, desk_open
from tests.services.risk.test_plan_affordability import API as PLANS
from tests.services.risk.test_plan_affordability import asked as plan_asked
from tests.system.processes import Service

CONSENT = "2026-04-01"
INCOME = {
    "borrower_ref": "B-1",
    "currency": "CNY",
    "source": "social-insurance",
    "confirmation_id": "c-7",
    "verified_on": "2026-04-02",
    "monthly_minor": 100_000,
}


def said(**different: object) -> str:
    return json.dumps({**INCOME, **different})


@pytest.fixture
def desk() -> Iterator[Desk]:
    """B-1 has an income, B-odd what is none, B-ill fails; others are unknown, slow or rude."""
    with desk_open() as found:
        found.bodies |= {"incomes/B-1": said(), "incomes/B-odd": '{"monthly_minor": "much"}'}
        found.codes["incomes/B-ill"] = 503
        yield found


@pytest.fixture
def risk(desk: Desk, tmp_path: Path, nats_url: str) -> Iterator[Service]:
    with risk_asking(desk.url, tmp_path, nats_url) as service:
        yield service


def score(risk: Service, name: str, /, **different: Any) -> dict[str, Any]:
    """Ask about A-1 of B-1, with a consent unless it says otherwise; `name` is the request."""
    on = {"borrowerRef": "B-1", "decidedOn": "2026-04-05", "incomeConsentedOn": CONSENT}
    form = asked(1, **{**on, "requestId": f"score-{name}", **different})
    return risk.call(f"{API}/ScoreApplication", **form)


def codes(decision: dict[str, Any]) -> list[str]:
    """Return the outcome, and the reasons that are rules about income."""
    reasons = [one["code"] for one in decision["reasons"] if one["code"].startswith("INCOME")]
    return [decision["outcome"].removeprefix("DECISION_OUTCOME_"), *reasons]


def looked_at(risk: Service) -> dict[str, Any]:
    """Return what the latest decision on A-1 looked at."""
    return json.loads(risk.call(f"{API}/ExplainDecision", applicationId="A-1")["inputsJson"])


async def test_an_income_is_read_from_either(desk: Desk, tmp_path: Path) -> None:
    """The same as a file and over HTTP; what fails, is late or unknown is no confirmation."""
    (tmp_path / "B-1.CNY.json").write_text(said())
    (tmp_path / "B-odd.CNY.json").write_text("not JSON")
    http: Source[VerifiedIncome] = source_of(INCOMES, None, desk.url, 0.5)
    files: Source[VerifiedIncome] = source_of(INCOMES, tmp_path, "", 1)
    expected = VerifiedIncome(
        source="social-insurance",
        confirmation_id="c-7",
        verified_on=date(2026, 4, 2),
        monthly_minor=100_000,
    )

    for source in (http, files):
        assert await source.ask("B-1", "CNY", date(2026, 4, 1)) == expected
        assert isinstance(await source.ask("B-odd", "CNY"), Unusable)
        assert await source.ask("B-7", "CNY") is None
    assert [await http.ask(name, "CNY") for name in ("B-slow", "B-rude", "B-ill")] == [None] * 3
    assert isinstance(await files.ask("借" * 200, "CNY"), Unusable)


async def test_an_income_is_asked_for_once_with_consent(risk: Service, desk: Desk) -> None:
    """At once, again, after a crash, or only to know: one question, that says of the consent."""
    forms = ("one", "one", "other")
    three = await asyncio.gather(*(asyncio.to_thread(score, risk, name) for name in forms))
    risk.kill()
    await asyncio.to_thread(risk.start)
    later = score(risk, "later")
    only = score(risk, "only", validateOnly=True)
    first = looked_at(risk)

    assert [codes(one) for one in (*three, later, only)] == [["APPROVED"]] * 5
    assert desk.asked == [f"incomes/B-1?currency=CNY&consented_on={CONSENT}"]
    assert first["income"] == {
        name: INCOME[name] for name in ("source", "confirmation_id", "verified_on", "monthly_minor")
    }
    assert first["income_consented_on"] == CONSENT


def test_an_old_income_is_asked_for_again(risk: Service, desk: Desk) -> None:
    """After ninety days the source is asked anew; what it still says of then is looked at."""
    score(risk, "one")
    old = score(risk, "july", decidedOn="2026-07-05")
    desk.bodies["incomes/B-1"] = said(verified_on="2026-07-05", confirmation_id="c-8")
    new = score(risk, "again", decidedOn="2026-07-06")

    assert codes(old) == ["REFERRED", "INCOME_STALE"]
    assert codes(new) == ["APPROVED"]
    assert len(desk.asked) == 3
    assert looked_at(risk)["income"]["confirmation_id"] == "c-8"


def test_nobody_is_asked_in_vain(risk: Service, desk: Desk) -> None:
    """Not without consent, to try, beside an income that came along, nor of what is refused."""
    given = {"source": "payroll", "verifiedOn": "2026-04-01", "monthly": cny(100_000)}
    score(risk, "silent", incomeConsentedOn="")
    score(risk, "only", validateOnly=True)
    score(risk, "along", verifiedIncome=given)
    wrong = [{"product": "gold"}, {"incomeConsentedOn": "2026-04-06"}, {"incomeConsentedOn": "2"}]
    on = {"borrowerRef": "B-1", "decidedOn": "2026-04-05", "incomeConsentedOn": CONSENT}
    reasons = [refused(risk, "ScoreApplication", **asked(2, **{**on, **one})) for one in wrong]

    assert [reason for _, reason in reasons] == [
        "PRODUCT_UNKNOWN",
        "FACT_AFTER_DECISION",
        "DATE_NOT_VALID",
    ]
    assert desk.asked == []


LARGE = {"amount": cny(6_000_000), "instalments": 60, "monthlyInstalment": cny(110_000)}
"""An amount for which an income is to be confirmed."""


def test_who_does_not_answer_confirms_nothing(risk: Service) -> None:
    """An income that is unknown, or whose source fails or is late: a large loan is looked at."""
    report = reported(reportedOn="2026-04-04", consentedOn="2026-04-04")
    large = {**LARGE, "monthlyIncome": cny(1_000_000), "bureauReport": report}
    who = ("B-7", "B-ill", "B-slow", "B-rude")
    found = [score(risk, one, **large, applicationId=f"A-{one}", borrowerRef=one) for one in who]

    assert SLOW_SECONDS > 0.5
    assert [codes(one) for one in found] == [["REFERRED", "INCOME_NOT_CONFIRMED"]] * 4


ODD = [
    # what a confirmation says otherwise     | what of it
    ({"monthly_minor": float("nan")}, "cannot be read"),
    ({"monthly_minor": -1}, ">= 0"),
    ({"monthly_minor": None}, "monthly_minor"),
    ({"monthly_minor": 100_000.5}, "monthly_minor"),
    ({"yearly_minor": 1}, "unknown field"),
    ({"borrower_ref": "B-2"}, "another borrower"),
    ({"currency": "EUR"}, "another borrower or currency"),
    ({"verified_on": "yesterday"}, "verified_on"),
    ({"verified_on": "2026-04-06"}, "c-7 is of 2026-04-06, after the decision"),
]


def test_a_confirmation_that_cannot_be_used_is_looked_at(risk: Service, desk: Desk) -> None:
    """Unreadable, of somebody else or from after the decision: not used, kept why, referred."""
    for number, (different, why) in enumerate(ODD):
        desk.bodies["incomes/B-1"] = said(**different)
        decision = score(risk, f"odd-{number}")

        assert codes(decision) == ["REFERRED", "INCOME_CONFIRMATION_UNUSABLE"]
        assert why in looked_at(risk)["income_unusable"]
        assert "income" not in {k for k, v in looked_at(risk).items() if v is not None}
        assert risk.call(f"{API}/ReplayDecision", applicationId="A-1")["identical"]


@pytest.mark.parametrize("missing", sorted({*INCOME}))
async def test_every_field_of_a_confirmation_is_needed(tmp_path: Path, missing: str) -> None:
    """A field left out is not a nought."""
    rest = {name: value for name, value in INCOME.items() if name != missing}
    (tmp_path / "B-1.CNY.json").write_text(json.dumps(rest))

    assert isinstance(await source_of(INCOMES, tmp_path, "", 1).ask("B-1", "CNY"), Unusable)


def test_a_decision_is_made_again_whatever_the_source_says_now(risk: Service, desk: Desk) -> None:
    """What it said is kept with the decision; a source that changed or went changes nothing."""
    desk.bodies["incomes/B-1"] = said(monthly_minor=79_999)
    first = score(risk, "one")
    desk.bodies.clear()
    again = risk.call(f"{API}/ReplayDecision", applicationId="A-1")

    assert codes(first) == ["REFERRED", "INCOME_CONTRADICTORY"]
    assert again["identical"] and again["stored"] == again["again"] == first
    assert len(desk.asked) == 1


def test_incomes_are_read_from_a_folder(tmp_path: Path, nats_url: str) -> None:
    """Without a URL the source is a folder; the lower of stated and confirmed counts."""
    (tmp_path / "B-1.CNY.json").write_text(said(monthly_minor=30_000))
    with risk_running(tmp_path, nats_url, RISK_INCOME_FOLDER=str(tmp_path)) as risk:
        found = score(risk, "one")

    assert found["outcome"] == "DECISION_OUTCOME_DECLINED"
    assert found["reasons"][0]["code"] == "DEBT_SERVICE_TOO_HIGH"


def payroll(monthly_minor: int, on: str = "2026-04-03") -> dict[str, Any]:
    return {"source": "payroll", "verifiedOn": on, "monthly": cny(monthly_minor)}


def test_what_was_confirmed_before_is_not_forgotten(risk: Service) -> None:
    """The source confirmed less than what is brought now: looked at, also when asked once more."""
    before = score(risk, "one")
    higher = {"monthlyIncome": cny(150_000), "verifiedIncome": payroll(150_000)}
    brought, again = score(risk, "two", **higher), score(risk, "three", **higher)
    counted = looked_at(risk)

    assert codes(before) == ["APPROVED"]
    assert [codes(one) for one in (brought, again)] == [["REFERRED", "INCOME_CONTRADICTORY"]] * 2
    assert counted["income"]["monthly_minor"] == 150_000
    assert counted["income_earlier"]["monthly_minor"] == 100_000
    assert risk.call(f"{API}/ReplayDecision", applicationId="A-1")["identical"]
    assert codes(score(risk, "later", **{**higher, "decidedOn": "2026-07-02"})) == ["APPROVED"]


EARLIER = [
    # stated | confirmed before | brought now | ratio of payments | outcome and reasons
    (100_000, [100_000], 119_000, "0.1700", ["APPROVED"]),
    (100_000, [100_000], 121_000, "0.1700", ["REFERRED", "INCOME_CONTRADICTORY"]),
    (100_000, [79_000], 100_000, "0.2152", ["REFERRED", "INCOME_CONTRADICTORY"]),
    (100_000, [200_000], 100_000, "0.1700", ["REFERRED", "INCOME_CONTRADICTORY"]),
    (100_000, [95_000, 200_000], 100_000, "0.1700", ["REFERRED", "INCOME_CONTRADICTORY"]),
    (100_000, [95_000, 90_000], 100_000, "0.1889", ["APPROVED"]),
    (100_000, [30_000], None, "0.5667", ["DECLINED", "INCOME_CONTRADICTORY"]),
    (100_000, [85_000], None, "0.2000", ["APPROVED"]),
    (100_000, [85_000, 130_000], None, "0.1700", ["REFERRED", "INCOME_CONTRADICTORY"]),
]


def test_the_lowest_of_all_incomes_counts(tmp_path: Path, nats_url: str) -> None:
    """What is stated, brought now and was confirmed with a borrower's other applications."""
    found = []
    with risk_running(tmp_path, nats_url) as risk:
        for number, (stated, before, now, _, _) in enumerate(EARLIER):
            who = {"borrowerRef": f"B-{number}", "monthlyIncome": cny(stated)}
            for place, minor in enumerate(before):
                name, income = f"A-{number}-{place}", payroll(minor, "2026-04-01")
                score(risk, name, **who, applicationId=name, verifiedIncome=income)
            brought = {"verifiedIncome": payroll(now)} if now else {}
            decision = score(risk, f"{number}", **who, applicationId=f"A-{number}", **brought)
            why = risk.call(f"{API}/ExplainDecision", applicationId=f"A-{number}")
            found.append((stated, before, now, why["debtServiceRatio"], codes(decision)))

    assert found == EARLIER


async def test_incomes_brought_together_see_each_other(risk: Service) -> None:
    """Of applications of one borrower at the same moment, those of two incomes are looked at."""

    def brought(number: int) -> dict[str, Any]:
        income = {"verifiedIncome": payroll(100_000 if number % 2 else 130_000)}
        stated = {"monthlyIncome": cny(115_000), "borrowerRef": "借" * 200}
        return score(risk, f"{number}", applicationId=f"A-{number}", **stated, **income)

    found = await asyncio.gather(*(asyncio.to_thread(brought, number) for number in range(8)))

    kinds = {tuple(codes(one)) for one in found}
    assert kinds == {("APPROVED",), ("REFERRED", "INCOME_CONTRADICTORY")}


def test_what_a_plan_confirmed_is_known_to_a_decision(risk: Service, desk: Desk) -> None:
    """An income that the source confirms for a hardship plan contradicts a higher one later."""
    plan = {**plan_asked(1), "borrowerRef": "B-1", "assessedOn": "2026-04-04"}
    risk.call(f"{PLANS}/AssessAffordability", **{**plan, "incomeConsentedOn": CONSENT})
    later = {"monthlyIncome": cny(150_000), "verifiedIncome": payroll(150_000)}

    assert len(desk.asked) == 1
    assert codes(score(risk, "later", **later)) == ["REFERRED", "INCOME_CONTRADICTORY"]
