"""What those who stand in pay, once, and how a recovery is shared to the last cent."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.collections.domain.claims import (
    Claim,
    ClaimAboveClaimed,
    Standin,
    answered,
    filed,
    share_recovery,
)
from services.collections.domain.currency import AmountCurrencyDiffers, same_currency
from shared.kernel.errors import LendingError

SHARES = [
    # recovered | lender's own | those who paid | shares
    (100, 300, {"G": 200}, [100, 0]),
    (350, 300, {"G": 200}, [300, 50]),
    (900, 300, {"G": 200}, [300, 200]),
    (301, 0, {"G": 200, "H": 400}, [0, 101, 200]),
    (50, 80, {}, [50]),
]


@pytest.mark.parametrize(("came", "own", "payers", "wanted"), SHARES)
def test_the_lenders_own_part_comes_first(
    came: int, own: int, payers: dict[str, int], wanted: list[int]
) -> None:
    """Recourse does not harm the creditor: the lender's own part first, then who paid, in share."""
    assert [share for _, _, share in share_recovery(came, own, payers)] == wanted


OWED = [
    # recovered | own | those who paid | still owed to them | owed, shares
    (60, 0, {"G": 60}, 30, [(30, 30)]),
    (100, 10, {"G": 60, "H": 30}, 45, [(30, 30), (15, 15)]),
    (31, 0, {"G": 50, "H": 50}, 31, [(16, 16), (15, 15)]),
]


@pytest.mark.parametrize(("came", "own", "payers", "left", "wanted"), OWED)
def test_nobody_gets_what_the_borrower_no_longer_owes(
    came: int, own: int, payers: dict[str, int], left: int, wanted: list[tuple[int, int]]
) -> None:
    """Once recoveries have paid a guarantor back in part, only the rest is still owed."""
    assert [row[1:] for row in share_recovery(came, own, payers, left)[1:]] == wanted


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.dictionaries(st.sampled_from("GHIJK"), st.integers(1, 10**9)),
)
def test_a_recovery_is_shared_to_the_last_cent(came: int, own: int, payers: dict[str, int]) -> None:
    """Shares sum to what came or to all that is owed, and nobody gets more than is owed to them."""
    rows = share_recovery(came, own, payers)

    assert sum(share for _, _, share in rows) == min(came, own + sum(payers.values()))
    assert all(0 <= share <= owed for _, owed, share in rows)


CLAIM = Claim(
    claim_id="c-1",
    loan_id="L-1",
    standin=Standin.GUARANTOR,
    standin_ref="G-1",
    currency="CNY",
    cover_minor=300,
    valid_until=date(2026, 12, 31),
)
FILED = [
    # claimed | paid before | refused by
    (300, 0, ""),
    (301, 0, "CLAIM_ABOVE_COVER"),
    (100, 200, ""),
    (101, 200, "CLAIM_ABOVE_COVER"),
    (1, 400, "CLAIM_ABOVE_COVER"),
]


@pytest.mark.parametrize(("claimed", "before", "reason"), FILED)
def test_a_stand_in_pays_its_cover_once(claimed: int, before: int, reason: str) -> None:
    """What a stand-in paid for the loan before is no longer there to claim."""
    on = date(2026, 4, 20)
    try:
        filed(CLAIM, on, claimed, "ann", 90, before)
        refused = ""
    except LendingError as refusal:
        refused = refusal.reason
    assert refused == reason


def test_an_answer_is_of_what_was_claimed() -> None:
    """Nobody pays more than was asked for."""
    claim = filed(CLAIM, date(2026, 4, 20), 100, "ann", 90)
    with pytest.raises(ClaimAboveClaimed):
        answered(claim, 101, "")
    assert answered(claim, 100, "").status == "PAYING"


def test_other_money_answers_no_claim() -> None:
    """Dollars are no answer to a claim in yuan."""
    same_currency("CNY", "CNY", "amount")
    with pytest.raises(AmountCurrencyDiffers):
        same_currency("USD", "CNY", "amount")
