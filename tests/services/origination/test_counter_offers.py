"""Less, or for longer, where risk declines what was asked for: through the public API."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from services.origination.domain.products import counters
from tests.services.origination.killing import POLICIES, TODAY
from tests.services.origination.paying import Place
from tests.services.origination.test_review_and_disclosure import document
from tests.stories.three_loans import cny

PRODUCT = msgspec.structs.replace(
    POLICIES.product_on("consumer-graded", TODAY),
    counter_shares=(Decimal("0.75"), Decimal("0.25")),
)


def test_the_nearest_is_tried_first() -> None:
    """The whole amount for longer, then less for the same term, then less for longest."""
    found = counters(PRODUCT, 1_234_567, 12)

    assert found == (
        (1_234_567, 24),
        (925_900, 12),
        (308_600, 12),
        (925_900, 24),
        (308_600, 24),
    )
    assert counters(POLICIES.product_on("consumer-graded", TODAY), 1_234_567, 12) == ()


COUNTERS = [
    # income a month | instalments | principal
    (150_000, 24, 1_200_000),
    (95_000, 12, 300_000),
]


@pytest.mark.parametrize(("income", "instalments", "principal"), COUNTERS)
def test_what_can_be_afforded_is_offered_instead(
    place: Place, income: int, instalments: int, principal: int
) -> None:
    """The applicant hears why, what is offered instead, and may take it to the money."""
    name = f"counter-{income}"
    found = place.offer(name, product="secured-private", monthlyIncome=cny(income))
    text = document(place, name, "ADVERSE_ACTION", "TEXT", "en").decode()
    zh = document(place, name, "ADVERSE_ACTION", "TEXT", "zh").decode()
    decided = place.suite.call("risk", "GetDecision", applicationId=name)
    shown = place.ask("ShowDisclosure", name)

    assert found["status"] == "APPLICATION_STATUS_OFFERED", found
    assert found["decision"]["outcome"] == "DECISION_OUTCOME_APPROVED"
    assert found["askedDecision"]["outcome"] == "DECISION_OUTCOME_DECLINED"
    assert [o["counterOffer"] for o in found["offers"]] == [True]
    assert found["terms"]["instalments"] == instalments
    assert found["terms"]["principalMinor"] == str(principal)
    assert decided["decisionId"] == found["decision"]["decisionId"]
    assert found["askedDecision"]["reasons"][0]["textEn"] in text.replace("\\", "")
    assert f"in {instalments} instalments" in text
    assert f"分 {instalments} 期" in zh
    assert sum(int(row["principalDueMinor"]) for row in shown["instalments"]) == principal


def test_nothing_is_offered_where_nothing_is_approved(place: Place) -> None:
    """Without an income no share of it can be afforded: declined, with no offer."""
    found = place.offer("counter-none", product="secured-private", monthlyIncome=cny(1))

    assert found["status"] == "APPLICATION_STATUS_DECLINED"
    assert "offers" not in found
