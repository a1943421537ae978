"""A loan is aged by its first rows alone, and that changes nothing that is recorded."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.domain.delinquency import instalments_due, next_transition_on, standing_of
from services.ledger.domain.head import BeyondHead, Head, head_of, rows_of
from services.ledger.domain.kept import Keeper
from services.ledger.domain.periods import Draw
from services.ledger.domain.replay import timeline
from services.ledger.domain.schedule import Plan
from services.ledger.domain.terms import Terms
from services.ledger.domain.timeline import Timeline
from tests.services.ledger.domain.desk import TERMS, Desk
from tests.services.ledger.domain.lives import ACTS, STARTS_ON, act, examples
from tests.services.ledger.domain.lives import TERMS as ANY_TERMS


def lateness(line: Timeline) -> tuple[object, ...]:
    return instalments_due(line), standing_of(line), next_transition_on(line)


def glance(keeper: Keeper, desk: Desk, on: date) -> tuple[object, ...]:
    account = desk.account
    paid_out = (account.disbursed_on, account.disbursed_minor)
    return keeper.glance("L-1", account.terms, paid_out, account.counting, on, lateness)


@settings(max_examples=examples(150), deadline=None)
@given(terms=ANY_TERMS, acts=ACTS, days=st.integers(0, 400))
def test_a_glance_finds_what_the_whole_loan_says(
    terms: Terms, acts: list[tuple[str, int, int]], days: int
) -> None:
    """After a short life, on any later date; the loan is not in memory."""
    desk = Desk(terms, STARTS_ON)
    for what, later, share in acts[:4]:
        act(desk, what, later, share)
    account, on = desk.account, desk.on + timedelta(days=days)

    found = glance(Keeper(), desk, on)

    whole = timeline(terms, STARTS_ON, account.counting, on, account.disbursed_minor)
    assert found == lateness(whole)


@settings(max_examples=examples(100), deadline=None)
@given(terms=ANY_TERMS, days=st.integers(0, 400))
def test_the_first_rows_are_those_of_the_plan(terms: Terms, days: int) -> None:
    """As far as they are due, or due soon, and one more."""
    upto = STARTS_ON + timedelta(days=days)
    soon = upto + timedelta(days=terms.delinquency.due_soon_days)
    plan = Plan(terms, STARTS_ON, (Draw(STARTS_ON, terms.principal_minor),))

    head, whole = head_of(plan, upto), rows_of(plan)

    assert head[:] == whole[: len(head)]
    if isinstance(head, Head):
        assert [row.due_on > soon for row in head[:]] == [False] * (len(head) - 1) + [True]
    else:
        assert len(head) == len(whole)


@pytest.mark.parametrize(
    ("paid", "kept"),
    [
        # paid     | loans kept after a glance
        ([], 0),
        (["50.00"], 0),
        (["1,120.00", "900.00"], 0),
        (["10.00"] * 5, 1),
    ],
)
def test_a_plain_loan_leaves_nothing_in_memory(paid: list[str], kept: int) -> None:
    """Money that went to what is due needs no more rows; many repayments are better kept."""
    desk, keeper = Desk(TERMS), Keeper()
    desk.go_to(date(2026, 2, 5))
    for amount in paid:
        desk.repay(amount.replace(",", ""))

    found = glance(keeper, desk, date(2026, 2, 9))

    assert found == lateness(desk.account.timeline(date(2026, 2, 9)))
    assert len(keeper.lines) == kept


def test_who_looks_beyond_the_head_is_told() -> None:
    """The first of twelve rows do not say what is outstanding."""
    plan = Plan(TERMS, date(2026, 1, 5), (Draw(date(2026, 1, 5), TERMS.principal_minor),))
    head = head_of(plan, date(2026, 2, 5))

    assert (isinstance(head, Head), len(head)) == (True, 2)
    with pytest.raises(BeyondHead):
        sum(row.principal_due for row in head)
