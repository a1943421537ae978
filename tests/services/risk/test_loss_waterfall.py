"""Who bears a loss, as a table; and what holds of every waterfall."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.risk.domain.loss_waterfall import (
    Allocation,
    AmountBelowZero,
    Cover,
    ShareOutOfRange,
    SharesDoNotAddUp,
    allocate_loss,
    allocate_recovery,
)

GUARANTOR = Cover(party="guarantor", share=Fraction(4, 5), cap_minor=50_000, waiting_days=90)
INSURER = Cover(party="insurer", share=Fraction(9, 10), cap_minor=30_000, deductible_minor=5_000)
FIRST_LOSS = Cover(party="first-loss", share=Fraction(1), cap_minor=2_000)
PARTNERS = (("bank", Fraction(7, 10)), ("platform", Fraction(3, 10)))

TABLE = [
    # loss    | days | guarantor | insurer | first loss | bank  | platform
    (0, 90, {}),
    (100, 90, {"guarantor": 80, "first-loss": 20}),
    # before its 90 days the guarantor does not pay; the insurer pays above its deductible
    (10_000, 89, {"insurer": 4_500, "first-loss": 2_000, "bank": 2_450, "platform": 1_050}),
    (
        100_000,
        90,
        {"guarantor": 50_000, "insurer": 30_000, "first-loss": 2_000, "bank": 12_600}
        | {"platform": 5_400},
    ),
    # a unit that does not divide goes to the larger remainder
    (
        100_001,
        90,
        {"guarantor": 50_000, "insurer": 30_000, "first-loss": 2_000, "bank": 12_601}
        | {"platform": 5_400},
    ),
]


@pytest.mark.parametrize(("loss", "days", "borne"), TABLE)
def test_a_loss_runs_down_the_waterfall(loss: int, days: int, borne: dict[str, int]) -> None:
    """Guarantor, insurer, first loss, then partners by funding share."""
    found = allocate_loss(
        loss,
        days_past_due=days,
        covers=(GUARANTOR, INSURER),
        first_loss=FIRST_LOSS,
        partners=PARTNERS,
    )

    assert {one.party: one.amount_minor for one in found} == borne


def test_a_recovery_repays_the_payers_first() -> None:
    """Costs, then the guarantor up to what it paid, then the partners."""
    paid = [Allocation("guarantor", 6_000)]
    found = allocate_recovery(10_000, costs_minor=1_000, paid=paid, partners=PARTNERS)

    assert [(one.party, one.amount_minor) for one in found] == [
        ("costs", 1_000),
        ("guarantor", 6_000),
        ("bank", 2_100),
        ("platform", 900),
    ]


def test_what_cannot_be_shared_is_refused() -> None:
    """Shares that do not add up, and amounts below zero."""
    with pytest.raises(SharesDoNotAddUp):
        allocate_loss(
            1, days_past_due=0, covers=(), first_loss=None, partners=[("bank", Fraction(1, 2))]
        )
    with pytest.raises(AmountBelowZero):
        allocate_loss(-1, days_past_due=0, covers=(), first_loss=None, partners=PARTNERS)


_share = st.fractions(0, 1, max_denominator=20)
_amount = st.integers(0, 10**9)
_covers = st.lists(
    st.builds(
        Cover,
        party=st.sampled_from(["guarantor", "insurer", "co-guarantor"]),
        share=_share,
        cap_minor=_amount,
        deductible_minor=_amount,
        waiting_days=st.integers(0, 120),
    ),
    max_size=3,
    unique_by=lambda cover: cover.party,
)


@given(_amount, st.integers(0, 200), _covers, st.none() | st.just(FIRST_LOSS), _share)
def test_nothing_is_lost_and_nobody_pays_too_much(
    loss: int, days: int, covers: list[Cover], first_loss: Cover | None, share: Fraction
) -> None:
    """Allocations add up to the loss; no cover pays above its cap or share, or before its day."""
    partners = [("bank", share), ("platform", 1 - share)]
    found = allocate_loss(
        loss, days_past_due=days, covers=covers, first_loss=first_loss, partners=partners
    )
    borne = {one.party: one.amount_minor for one in found}

    assert sum(borne.values()) == loss
    assert all(amount > 0 for amount in borne.values())
    for cover in covers:
        paid = borne.get(cover.party, 0)
        assert paid <= min(cover.cap_minor, loss * cover.share)
        assert paid == 0 or days >= cover.waiting_days


HALF = Fraction(1, 2)
WRONG = [
    # what is wrong with it                                           | refused as
    ({"partners": [("bank", HALF / 2), ("platform", HALF / 2)]}, SharesDoNotAddUp),
    ({"partners": [("bank", 3 * HALF), ("platform", -HALF)]}, ShareOutOfRange),
    ({"covers": [Cover(party="g", share=3 * HALF, cap_minor=1)]}, ShareOutOfRange),
    ({"covers": [Cover(party="g", share=-HALF, cap_minor=1)]}, ShareOutOfRange),
    ({"covers": [Cover(party="g", share=HALF, cap_minor=1, deductible_minor=-1)]}, AmountBelowZero),
]


@pytest.mark.parametrize(("different", "refusal"), WRONG)
def test_shares_that_are_none_are_refused(different: dict[str, Any], refusal: type) -> None:
    """A loss is never shared out by shares that do not add up, or that are none."""
    terms = {"days_past_due": 90, "covers": [], "first_loss": None, "partners": PARTNERS}
    with pytest.raises(refusal):
        allocate_loss(100, **{**terms, **different})


def test_a_recovery_is_shared_by_shares_that_add_up() -> None:
    """A quarter and a quarter of a hundred are no hundred."""
    with pytest.raises(SharesDoNotAddUp):
        allocate_recovery(
            100, costs_minor=0, paid=[], partners=[("bank", HALF / 2), ("platform", HALF / 2)]
        )


@given(_amount, _amount, st.lists(_amount, max_size=3), _share)
def test_a_recovery_is_shared_out_whole(
    recovery: int, costs: int, paid: list[int], share: Fraction
) -> None:
    """Allocations add up to the recovery; no payer gets back more than it paid."""
    claims = [Allocation(f"payer-{k}", amount) for k, amount in enumerate(paid)]
    partners = [("bank", share), ("platform", 1 - share)]
    found = allocate_recovery(recovery, costs_minor=costs, paid=claims, partners=partners)
    got = {one.party: one.amount_minor for one in found}

    assert sum(got.values()) == recovery
    assert got.get("costs", 0) <= costs
    assert all(got.get(claim.party, 0) <= claim.amount_minor for claim in claims)
