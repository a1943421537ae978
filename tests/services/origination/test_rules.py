"""Rules of origination on their own: dates, law, cost, reasons, ids."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from services.origination.application.desk import Desk
from services.origination.application.offering import valid_until
from services.origination.application.terms import as_json, terms_on_offer
from services.origination.application.writing import adverse_action
from services.origination.domain.application import (
    Application,
    ApplicationDateOutOfRange,
    Check,
    Offer,
    Review,
    ShownCost,
    Stamp,
    check_applied_on,
)
from services.origination.domain.conditions import payout_conditions
from services.origination.domain.disclosure import DisclosureOutOfDate, check_cost, check_law
from services.origination.domain.review import DeclineWithoutReason, reviewed
from services.origination.domain.securities import (
    Collateral,
    Guarantee,
    ValuationInTheFuture,
    check_collateral,
)
from services.origination.domain.state_machine import Status
from tests.services.origination.killing import NOW, POLICIES, TODAY, contracted

SECURED = POLICIES.product_on("secured-private", TODAY)
SHOWN = ShownCost(on=TODAY, total_payable_minor=1_000, all_in_rate_annual=Decimal("0.15"))


def replaced(given: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(given, **changes)


def thing(**other: Any) -> Guarantee:
    given = {"description": "a car", "value_minor": 300_000, "valued_on": TODAY}
    given |= {"prior_liens_minor": 0, "registration_number": "N-1", "registered_on": TODAY}
    return Guarantee(
        guarantee_id="Car-1",
        kind="GUARANTEE_KIND_COLLATERAL",
        provider_ref="Car-1",
        amount_minor=100_000,
        consented_sha256="c",
        collateral=Collateral(**{**given, **other}),
    )


def test_a_thing_is_not_valued_in_the_future() -> None:
    """A valuation of 2099 says nothing about today's value, and would never grow too old."""
    with pytest.raises(ValuationInTheFuture):
        check_collateral(thing(valued_on=date(2099, 1, 1)), SECURED, TODAY)


LIENS = [
    # registered on | number | missing
    (TODAY, "N-1", []),
    (date(2099, 1, 1), "N-1", ["LIEN_NOT_REGISTERED"]),
    (TODAY, " ", ["LIEN_NOT_REGISTERED"]),
    (None, "N-1", ["LIEN_NOT_REGISTERED"]),
]


@pytest.mark.parametrize(("on", "number", "missing"), LIENS)
def test_a_lien_stands_in_the_register(on: date | None, number: str, missing: list[str]) -> None:
    """Money waits for a lien that is registered by then, under a number."""
    secured = replaced(
        contracted(), guarantees=(thing(registered_on=on, registration_number=number),)
    )

    found = payout_conditions(secured, SECURED, TODAY, date(2026, 2, 5))

    assert [condition.code for condition in found] == missing


def test_an_application_does_not_choose_its_law() -> None:
    """Dated before October 2025 and contracted in 2026, a loan has 2026's ceiling and days."""
    old, new = date(2025, 9, 30), date(2026, 1, 5)
    dated = replaced(contracted(), applied_on=old)
    desk = Desk(None, None, POLICIES, None, None)  # type: ignore[arg-type]

    before, after = desk.product(dated, old), desk.product(dated, new)

    assert (before.cost_ceiling, before.cooling_off_days) == ("", 0)
    assert (after.cost_ceiling, after.cooling_off_days) == ("cn-all-in-24/1", 7)
    assert after.version == "consumer-2026@2020-01-01"
    with pytest.raises(DisclosureOutOfDate):
        check_law(before, after)


DATED = [(-8, False), (-7, True), (0, True), (1, False)]


@pytest.mark.parametrize(("days", "possible"), DATED)
def test_an_application_is_dated_today_or_a_few_days_back(days: int, possible: bool) -> None:
    """Not ahead of the business date, and at most seven days behind it."""
    dated = date.fromordinal(TODAY.toordinal() + days)

    if possible:
        check_applied_on(dated, TODAY, 7)
    else:
        with pytest.raises(ApplicationDateOutOfRange):
            check_applied_on(dated, TODAY, 7)


COSTS = [
    # total | a year   | within what was disclosed
    (1_000, "0.1512", True),
    (900, "0.1513", False),
    (1_001, "0.1500", False),
    (900, "0.1400", True),
]


@pytest.mark.parametrize(("total", "rate", "within"), COSTS)
def test_a_payout_costs_what_was_disclosed(total: int, rate: str, within: bool) -> None:
    """Neither more in all nor, beyond an eighth of a point, more a year."""
    now = replaced(SHOWN, total_payable_minor=total, all_in_rate_annual=Decimal(rate))

    if within:
        check_cost(SHOWN, None, now)
    else:
        with pytest.raises(DisclosureOutOfDate):
            check_cost(SHOWN, None, now)


def test_an_offer_stands_while_it_can_be_paid_out() -> None:
    """Decided on 31 January, first due on 28 February: the last day is the one before."""
    on, application = date(2026, 1, 31), contracted()
    product = POLICIES.product_on("consumer-2026", on)
    terms = terms_on_offer(application, product, Decimal("0.12"), 12, on)
    offer = Offer(
        offer_id="12m",
        grade="",
        terms_json=as_json(terms),
        total_payable_minor=1,
        all_in_rate_annual="0.12",
    )
    desk = Desk(None, None, POLICIES, None, None)  # type: ignore[arg-type]

    assert valid_until(desk, application, on, [offer]) == date(2026, 2, 27)
    assert valid_until(desk, application, on) == date(2026, 3, 2)


CONTRADICTED = Check(
    name="identity",
    outcome="CONTRADICTED",
    code="AGE_CONTRADICTED",
    text_en="The age contradicts the identity number",
    text_zh="年龄与证件不符",
)


def referred(**other: Any) -> Application:
    return replaced(contracted(), status=Status.REFERRED, **other)


def review(*codes: str) -> Review:
    return Review(reviewer_ref="officer-1", approves=False, reason="no", at=NOW, reason_codes=codes)


def test_who_is_declined_by_people_is_told_why() -> None:
    """A contradiction that people saw, and the reasons they gave, stand in the notice."""
    stamp = Stamp(NOW, "officer-1")
    found = referred(checks=(CONTRADICTED,))

    declined = reviewed(found, review("INCOME_NOT_VERIFIED"), POLICIES, TODAY, stamp)
    text = adverse_action(declined)

    assert "- We could not verify your income" in text.en
    assert "- The age contradicts the identity number" in text.en
    assert "- 年龄与证件不符" in text.zh
    with pytest.raises(DeclineWithoutReason):
        reviewed(referred(), review(), POLICIES, TODAY, stamp)
    assert reviewed(found, review(), POLICIES, TODAY, stamp).status is Status.DECLINED
