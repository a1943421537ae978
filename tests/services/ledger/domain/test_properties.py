"""What holds for every loan, whatever its terms and whatever happens to it."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain.delinquency import standing_of
from services.ledger.domain.loan_account import fold
from services.ledger.domain.schedule import schedule
from services.ledger.domain.terms import RepaymentMethod, Terms
from shared.kernel.dates import DayCount
from shared.kernel.errors import LendingError
from tests.services.ledger.domain.desk import Desk

STARTS_ON = date(2026, 1, 31)
TERMS = st.builds(
    Terms,
    currency=st.just("CNY"),
    principal_minor=st.integers(100, 50_000_000),
    rate_annual=st.decimals(0, 1, places=4),
    method=st.sampled_from(RepaymentMethod),
    day_count=st.sampled_from(DayCount),
    instalments=st.integers(1, 24),
    months_per_instalment=st.integers(1, 3),
    first_due_on=st.dates(date(2026, 2, 15), date(2026, 3, 31)),
    grace_days=st.integers(0, 10),
    penalty_rate_annual=st.decimals(0, 1, places=3),
)
ACTS = st.lists(
    st.tuples(
        st.sampled_from(["wait", "repay", "backdate", "reverse", "charge", "plan", "off"]),
        st.integers(1, 45),
        st.integers(1, 100),
    ),
    min_size=1,
    max_size=12,
)


def act(desk: Desk, what: str, days: int, share: int) -> None:
    """Do one thing; a refusal changes nothing and is fine."""
    desk.go_to(desk.on + timedelta(days=days))
    line = desk.account.timeline(desk.on)
    amount = max(1, line.payoff * share // 100)
    money = {"amount_minor": amount, "currency": "CNY"}
    try:
        if what == "repay":
            kind = cmd.PostRecovery if line.charged_off_on else cmd.PostRepayment
            desk.ask(kind, value_on=desk.on, **money)
        elif what == "backdate":
            desk.ask(cmd.PostRepayment, value_on=desk.on - timedelta(days=share), **money)
        elif what == "charge":
            desk.ask(cmd.ApplyCharge, value_on=desk.on, reason="late fee", **money)
        elif what == "off":
            desk.ask(cmd.ChargeOffLoan, effective_on=desk.on, reason="lost")
        elif what == "plan":
            desk.ask(
                cmd.RestructureLoan,
                effective_on=desk.on,
                instalments=share,
                first_due_on=desk.on + timedelta(days=20),
                rate_annual=Decimal("0.05"),
                reason="hardship",
                approved_by="Li",
            )
        elif what == "reverse" and desk.account.facts:
            fact = desk.account.facts[share % len(desk.account.facts)]
            desk.ask(cmd.ReverseRepayment, repayment_id=fact.fact_id, reason="returned")
    except LendingError:
        return


@settings(max_examples=150, deadline=None)
@given(terms=TERMS)
def test_a_schedule_repays_exactly_what_was_lent(terms: Terms) -> None:
    """Principal sums to the amount lent, nothing is negative, due dates rise."""
    rows = schedule(terms, STARTS_ON)

    assert sum(row.principal_due_minor for row in rows) == terms.principal_minor
    assert all(row.principal_due_minor >= 0 and row.interest_due_minor >= 0 for row in rows)
    assert all(a.due_on < b.due_on for a, b in pairwise(rows))


@settings(max_examples=120, deadline=None)
@given(terms=TERMS, acts=ACTS)
def test_whatever_happens_the_books_and_the_log_agree(
    terms: Terms, acts: list[tuple[str, int, int]]
) -> None:
    """Postings sum to the derived books, money in equals money allocated, replay is the state."""
    desk = Desk(terms, STARTS_ON)

    for what, days, share in acts:
        act(desk, what, days, share)

    posted: Counter[str] = Counter()
    for event in desk.events:
        if isinstance(event, ev.Financial):
            assert sum(p.amount_minor for p in event.postings) == 0
            for posting in event.postings:
                posted[posting.account] += posting.amount_minor
    line = desk.account.timeline(desk.on)
    allocated = sum(s.amount_minor for slots in line.allocations.values() for s in slots)
    assert {k: v for k, v in posted.items() if v} == {k: v for k, v in line.books.items() if v}
    assert allocated + line.unallocated == line.received
    assert fold(desk.events) == desk.account
    assert desk.account.standing.buckets == standing_of(line).buckets
    assert line.principal_outstanding >= 0
