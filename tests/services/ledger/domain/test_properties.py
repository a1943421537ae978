"""What holds for every loan, whatever its terms and whatever happens to it."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from itertools import pairwise

from hypothesis import given, settings

from services.ledger.domain import events as ev
from services.ledger.domain.delinquency import standing_of
from services.ledger.domain.loan_account import evolve, fold
from services.ledger.domain.schedule import schedule
from services.ledger.domain.terms import Terms
from tests.services.ledger.domain.desk import Desk
from tests.services.ledger.domain.lives import ACTS, STARTS_ON, TERMS, act, examples


@settings(max_examples=examples(150), deadline=None)
@given(terms=TERMS)
def test_a_schedule_repays_exactly_what_was_lent(terms: Terms) -> None:
    """Principal sums to the amount lent, nothing is negative, due dates rise."""
    rows = schedule(terms, STARTS_ON)

    assert sum(row.principal_due_minor for row in rows) == terms.principal_minor
    assert all(row.principal_due_minor >= 0 and row.interest_due_minor >= 0 for row in rows)
    assert all(a.due_on < b.due_on for a, b in pairwise(rows))


@settings(max_examples=examples(120), deadline=None)
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
    allocated = sum(s.amount_minor for _, slots in line.allocations for s in slots)
    refunded = sum(e.amount_minor for e in desk.events if isinstance(e, ev.CreditRefunded))
    assert {k: v for k, v in posted.items() if v} == {k: v for k, v in line.books.items() if v}
    assert allocated + line.unallocated + refunded == line.received
    assert fold(desk.events) == desk.account == reduce(evolve, desk.events, None)
    assert desk.account.standing.buckets == standing_of(line).buckets
    assert line.principal_outstanding >= 0
