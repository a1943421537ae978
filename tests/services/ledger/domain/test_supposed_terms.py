"""Had the contract another day count, or its policy other edges: to the cent, with its causes."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger import wire_audit
from services.ledger.domain.counterfactual import Supposition, steps, suppose
from services.ledger.domain.difference import Look
from services.ledger.domain.explain import explain, figures
from services.ledger.domain.policies import CN_CONSUMER, CN_CONSUMER_3, FIVE_TIER, POLICIES
from services.ledger.domain.refusals import SchemeNotInPolicy, SuppositionInvalid
from services.ledger.domain.terms import FirstPeriod, Terms
from services.ledger.domain.waterfall import CIVIL_CODE_561
from shared.audit.evaluate import evaluate
from shared.kernel.dates import DayCount
from tests.services.ledger.domain.desk import TERMS as CONTRACT
from tests.services.ledger.domain.desk import Desk
from tests.services.ledger.domain.lives import ACTS, STARTS_ON, TERMS, act, examples

ALWAYS = datetime.max.replace(tzinfo=UTC)
EARLY = ((0, "NORMAL"), (1, "SPECIAL_MENTION"), (10, "SUBSTANDARD"), (40, "LOSS"))


def paid_once(terms: Terms = CONTRACT) -> Desk:
    """12,000.00 at 12 %, in twelve; on 5 February the 1,120.00 that 30 days of 360 ask for."""
    desk = Desk(terms)
    desk.go_to(date(2026, 2, 5))
    desk.repay("1120.00")
    return desk


def test_another_day_count_asks_for_other_interest() -> None:
    """31 days of January over 360 are 124.00 of interest, over 365 are 122.30; 120.00 were paid."""
    look = Look(date(2026, 2, 15), ALWAYS)
    # day count             | days | arrears
    table = [
        (DayCount.THIRTY_360, 0, 0),
        (DayCount.ACT_360, 10, 400),
        (DayCount.ACT_365_FIXED, 10, 230),
    ]
    for day_count, days, arrears in table:
        found = suppose(paid_once().events, look, Supposition(day_count=day_count))
        after = figures(found.supposed)
        assert (after["days_past_due"], after["arrears"]) == (days, arrears), day_count


def test_another_day_count_than_months_and_days() -> None:
    """From 20 January: 16 days beside whole months, 15 at 30/360, 16 of 360 and 28 in February."""
    terms = {"day_count": DayCount.PERIOD_360, "first_period": FirstPeriod.MONTHS_AND_DAYS}
    desk = Desk(msgspec.structs.replace(CONTRACT, **terms), date(2026, 1, 20))
    look = Look(date(2026, 2, 5), ALWAYS)
    # day count           | interest of the first and the second instalment
    table = [
        (DayCount.PERIOD_360, [6_400, 11_000]),
        (DayCount.THIRTY_360, [6_000, 11_000]),
        (DayCount.ACT_360, [6_400, 10_267]),
    ]
    desk.go_to(date(2026, 2, 5))
    for day_count, interest in table:
        found = suppose(desk.events, look, Supposition(day_count=day_count))
        assert [row.interest_due for row in found.supposed.rows[:2]] == interest, day_count


def test_other_edges_are_another_bucket_and_nothing_else() -> None:
    """Substandard from day 10 on instead of day 91; days and money stay."""
    desk = Desk()
    supposition = Supposition(scheme_edges=(("five_tier", EARLY),))
    # on                | five tier as it is | as it would be
    table = [
        (date(2026, 2, 14), "SPECIAL_MENTION", "SPECIAL_MENTION"),
        (date(2026, 2, 15), "SPECIAL_MENTION", "SUBSTANDARD"),
        (date(2026, 3, 17), "SPECIAL_MENTION", "LOSS"),
    ]
    for on, was, would in table:
        found = suppose(desk.events, Look(on, ALWAYS), supposition)
        assert found.changes == {}
        assert found.buckets["five_tier"] == (was, would)
        assert found.buckets["m"][0] == found.buckets["m"][1]
    assert found.supposed.terms.delinquency.policy == "cn-consumer/1+supposed"


def test_a_cure_waits_for_the_supposed_bucket() -> None:
    """Once substandard by the early edge, the loan stays it in its probation, as cures say."""
    desk = Desk(msgspec.structs.replace(CONTRACT, delinquency=CN_CONSUMER_3))
    desk.go_to(date(2026, 2, 20))
    desk.repay("1127.50")
    look = Look(date(2026, 2, 21), ALWAYS)

    found = suppose(desk.events, look, Supposition(scheme_edges=(("five_tier", EARLY),)))

    assert figures(found.supposed)["days_past_due"] == 0
    assert found.buckets["five_tier"] == ("NORMAL", "SUBSTANDARD")


def test_edges_that_are_none_are_refused() -> None:
    """Not from day 0, falling, a bucket twice or without a name, none, beyond ten years."""
    desk, look = Desk(), Look(date(2026, 2, 15), ALWAYS)
    for edges in (
        (),
        ((1, "A"),),
        ((0, "A"), (5, "B"), (5, "C")),
        ((0, "A"), (5, "A")),
        ((0, ""),),
        ((0, "A"), (3_661, "B")),
    ):
        with pytest.raises(SuppositionInvalid):
            suppose(desk.events, look, Supposition(scheme_edges=(("m", edges),)))
    with pytest.raises(SchemeNotInPolicy, match="rbi"):
        suppose(desk.events, look, Supposition(scheme_edges=(("rbi", EARLY),)))
    cured = Supposition(delinquency=CN_CONSUMER_3, scheme_edges=(("five_tier", EARLY[:2]),))
    with pytest.raises(SuppositionInvalid):
        suppose(desk.events, look, cured)


def test_each_thing_that_is_supposed_says_what_it_does() -> None:
    """Day count: 4.00 and a start of lateness; grace: no days less; edges: the bucket."""
    look = Look(date(2026, 2, 15), ALWAYS)
    supposition = Supposition(
        grace_days=0, day_count=DayCount.ACT_360, scheme_edges=(("five_tier", EARLY),)
    )

    grace, count, edges = steps(paid_once().events, look, supposition)

    assert (grace.what, grace.changes, grace.buckets) == ("grace_days 0", {}, {})
    assert count.what == "day_count ACT_360"
    assert (count.changes["arrears"], count.changes["days_past_due"]) == (400, 10)
    assert count.buckets["five_tier"] == ("NORMAL", "SPECIAL_MENTION")
    assert edges.what.startswith("scheme_edges five_tier: NORMAL from day 0, ")
    assert (edges.changes, edges.buckets) == (
        {},
        {"five_tier": ("SPECIAL_MENTION", "SUBSTANDARD")},
    )


def stated(terms: Terms) -> Supposition:
    """Return a contract's own policy as if it were a supposition, everything of it stated."""
    return Supposition(
        grace_days=terms.grace_days,
        penalty_rate_annual=terms.penalty_rate_annual,
        waterfall=terms.waterfall,
        delinquency=terms.delinquency,
        day_count=terms.day_count,
        scheme_edges=tuple((one.name, one.edges) for one in terms.delinquency.schemes),
    )


@settings(max_examples=examples(60), deadline=None)
@given(terms=TERMS, acts=ACTS)
def test_the_current_policy_reproduces_reality_bit_for_bit(
    terms: Terms, acts: list[tuple[str, int, int]]
) -> None:
    """Every term stated as it is: the same rows, and the same bytes of the answer."""
    desk = Desk(terms, STARTS_ON)
    for what, days, share in acts:
        if what != "judge":
            act(desk, what, days, share)

    found = suppose(desk.events, Look(desk.on, ALWAYS), stated(terms))

    assert found.supposed == found.actual
    assert found.supposed.terms == desk.account.timeline(desk.on).terms
    message = wire_audit.supposed_message(found, [], stated(terms))
    looks = (message.actual, message.supposed)
    assert len({look.SerializeToString(deterministic=True) for look in looks}) == 1
    assert not (message.changes or message.buckets)


@settings(max_examples=examples(60), deadline=None)
@given(terms=TERMS, acts=ACTS)
def test_a_supposed_policy_holds_throughout(terms: Terms, acts: list[tuple[str, int, int]]) -> None:
    """Whatever policy a loan came under later, before a new plan or after one."""
    desk = Desk(terms, STARTS_ON)
    for what, days, share in acts:
        act(desk, what, days, share)
    supposed = Supposition(delinquency=CN_CONSUMER, scheme_edges=(("m", ((0, "M0"), (9, "M1"))),))

    found = suppose(desk.events, Look(desk.on, ALWAYS), supposed)

    assert found.supposed.terms.delinquency == supposed.judged(CN_CONSUMER)


OTHERWISE = st.builds(
    Supposition,
    grace_days=st.none() | st.integers(0, 60),
    day_count=st.none() | st.sampled_from(DayCount),
    waterfall=st.none() | st.just(CIVIL_CODE_561),
    delinquency=st.just(CN_CONSUMER) | st.just(POLICIES["all-schemes/1"]),
    scheme_edges=st.just(()) | st.just((("five_tier", EARLY), ("m", FIVE_TIER.edges))),
)


@settings(max_examples=examples(60), deadline=None)
@given(terms=TERMS, acts=ACTS, supposition=OTHERWISE)
def test_the_causes_sum_and_every_figure_recomputes(
    terms: Terms, acts: list[tuple[str, int, int]], supposition: Supposition
) -> None:
    """Whatever is supposed of any loan: steps sum to the difference, figures to their trees."""
    desk = Desk(terms, STARTS_ON)
    for what, days, share in acts:
        act(desk, what, days, share)
    look = Look(desk.on, ALWAYS)

    found, why = suppose(desk.events, look, supposition), steps(desk.events, look, supposition)

    total: Counter[str] = Counter()
    for step in why:
        total.update(step.changes)
    assert {name: value for name, value in total.items() if value} == found.changes
    buckets = {name: was for name, (was, _) in found.buckets.items()}
    for step in why:
        for scheme, (was, would) in step.buckets.items():
            assert buckets.get(scheme, "") == was
            buckets[scheme] = would
    assert {k: v for k, v in buckets.items() if v} == {
        name: would for name, (_, would) in found.buckets.items() if would
    }
    for name, value in figures(found.supposed).items():
        assert evaluate(explain(found.supposed, name)) == value
