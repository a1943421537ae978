"""Two clocks, explanations and differences: every figure can be asked twice and recomputed."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.domain.difference import Look, difference
from services.ledger.domain.effects import effects
from services.ledger.domain.explain import FIGURES, explain, figures
from services.ledger.domain.kept import KEEPER
from services.ledger.domain.loan_account import LoanAccount, fold
from services.ledger.domain.replay import timeline
from services.ledger.domain.terms import Terms
from services.ledger.domain.timeline import Timeline
from shared.audit.evaluate import evaluate
from tests.services.ledger.domain.desk import Desk
from tests.services.ledger.domain.lives import ACTS, STARTS_ON, TERMS, act, examples

Acts = list[tuple[str, int, int]]


def lived(terms: Terms, acts: Acts) -> Desk:
    """Let a loan live, each command recorded a second after the last."""
    desk = Desk(terms, STARTS_ON)
    for what, days, share in acts:
        act(desk, what, days, share)
    return desk


def about(desk: Desk) -> list[date]:
    """Return some dates of a loan's life."""
    span = (desk.on - STARTS_ON).days
    return [STARTS_ON + timedelta(days=span * k // 4) for k in range(6)]


@settings(max_examples=examples(300), deadline=None)
@given(terms=TERMS, acts=ACTS)
def test_every_cell_of_the_two_clock_grid_is_a_recompute(terms: Terms, acts: Acts) -> None:
    """What an account knew at an instant about a date is what the facts known then come to."""
    desk = Desk(terms, STARTS_ON)
    live = [(desk.events[-1].recorded_at, desk.account)]
    for what, days, share in acts:
        act(desk, what, days, share)
        live.append((desk.events[-1].recorded_at, desk.account))

    for known_at, then in live:
        later = fold([event for event in desk.events if event.recorded_at <= known_at])
        assert later == then
        for on in about(desk):
            asked, lived_then = later.timeline(on), then.timeline(on)
            assert asked == lived_then == from_scratch(then, on)
            assert (asked is None) == (on < STARTS_ON)


def from_scratch(account: LoanAccount, on: date) -> Timeline | None:
    """Return the timeline without anything that was kept."""
    if on < account.disbursed_on:
        return None
    live = [fact for fact in account.facts if fact.fact_id not in account.reversed_ids]
    return timeline(account.terms, account.disbursed_on, live, on, account.disbursed_minor)


@settings(max_examples=examples(60), deadline=None)
@given(terms=TERMS, acts=ACTS)
def test_one_walk_over_many_dates_sees_what_each_look_sees(terms: Terms, acts: Acts) -> None:
    """Walking on from date to date sees the lateness of a look at each, and arrives at the same."""
    desk = lived(terms, acts)
    days = [day for day in about(desk) if day >= STARTS_ON]
    looks = {day: from_scratch(desk.account, day) for day in days}

    for k, on in enumerate(sorted(days)):
        on_the_way = sorted(days)[:k]
        KEEPER.lines.clear()
        most, line = desk.account.walked(on_the_way, on)

        late = [looks[day].days_past_due for day in on_the_way]
        assert most == max(late, default=0)
        assert figures(line) == figures(looks[on])
        for later in sorted(days)[k:]:
            assert figures(desk.account.timeline(later)) == figures(looks[later])


@settings(max_examples=examples(200), deadline=None)
@given(terms=TERMS, acts=ACTS)
def test_a_stranger_recomputes_every_figure(terms: Terms, acts: Acts) -> None:
    """The evaluator, which imports nothing of the services, comes to every figure."""
    desk = lived(terms, acts)

    for on in about(desk):
        line = desk.account.timeline(on)
        if line is not None:
            stated = figures(line)
            for figure in FIGURES:
                assert evaluate(explain(line, figure)) == stated[figure], figure


@settings(max_examples=examples(100), deadline=None)
@given(terms=TERMS, acts=ACTS, ends=st.tuples(*[st.integers(0, 5)] * 4))
def test_a_difference_sums_exactly(
    terms: Terms, acts: Acts, ends: tuple[int, int, int, int]
) -> None:
    """The steps between any two looks, forth or back, add up to the change of every figure."""
    desk = lived(terms, acts)
    days = about(desk)
    known = sorted({event.recorded_at for event in desk.events})
    a = Look(days[ends[0]], known[ends[1] * (len(known) - 1) // 5])
    b = Look(days[ends[2]], known[ends[3] * (len(known) - 1) // 5])

    summed: Counter[str] = Counter()
    for step in difference(desk.events, a, b):
        summed.update(step.changes)

    first, second = (seen(desk, look) for look in (a, b))
    expected = {k: second.get(k, 0) - first.get(k, 0) for k in {*first, *second}}
    assert {k: v for k, v in summed.items() if v} == {k: v for k, v in expected.items() if v}


def seen(desk: Desk, look: Look) -> dict[str, int]:
    """Return the figures of one look."""
    account = fold([event for event in desk.events if event.recorded_at <= look.known_at])
    line = account.timeline(look.on) if account else None
    return figures(line) if line else {}


@settings(max_examples=examples(100), deadline=None)
@given(terms=TERMS, acts=ACTS)
def test_effects_asked_for_are_the_effects_had(terms: Terms, acts: Acts) -> None:
    """What a command says it would do is what the stored events then did."""
    desk = Desk(terms, STARTS_ON)
    for what, days, share in acts:
        act(desk, "wait", days, share)
        before, count = desk.account, len(desk.events)
        act(desk, what, 0, share)
        had = desk.events[count:]
        said = effects(before, had, desk.on)
        line = desk.account.timeline(desk.on)
        assert said.figures_after == figures(line)
        assert sum(p.amount_minor for _, p in said.postings) == 0
