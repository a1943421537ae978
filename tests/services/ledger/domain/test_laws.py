"""Laws that hold for every contract: each test's name is the law."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.ledger.application.following import Followed
from services.ledger.application.ports import Logged
from services.ledger.application.verifying import Replayed
from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain.books import accrued, sub_ledger
from services.ledger.domain.chart import POSTING_POLICIES
from services.ledger.domain.cure import days_counted
from services.ledger.domain.delinquency import standing_of
from services.ledger.domain.explain import figures
from services.ledger.domain.loan_account import evolve
from services.ledger.domain.schedule import schedule
from services.ledger.domain.terms import Overpayment, Prepayment, RepaymentMethod, Terms
from services.ledger.domain.timeline import Row
from services.ledger.domain.waterfall import FutureRule
from shared.kernel.dates import DayCount
from shared.kernel.rates import irr
from tests.services.ledger.domain.desk import NOW, TERMS, Desk
from tests.services.ledger.domain.lives import ACTS, STARTS_ON, act, examples
from tests.services.ledger.domain.lives import TERMS as ANY_TERMS

EQUAL_PERIODS = [
    RepaymentMethod.LEVEL_INSTALMENT,
    RepaymentMethod.EQUAL_PRINCIPAL,
    RepaymentMethod.INTEREST_ONLY,
]


@settings(max_examples=examples(60), deadline=None)
@given(terms=ANY_TERMS, acts=ACTS)
def test_ageing_day_by_day_is_catching_up_in_one_step(
    terms: Terms, acts: list[tuple[str, int, int]]
) -> None:
    """After any life, 60 day-ends record what one run over 60 days records."""
    daily, once = Desk(terms, STARTS_ON), Desk(terms, STARTS_ON)
    for what, days, share in acts:
        act(daily, what, days, share)
        act(once, what, days, share)
    count, end = len(daily.events), daily.on + timedelta(days=60)

    for _ in range(60):
        daily.go_to(daily.on + timedelta(days=1))
    once.go_to(end)

    same = {"request_id": "", "recorded_at": NOW}
    runs = [[msgspec.structs.replace(e, **same) for e in d.events[count:]] for d in (daily, once)]
    assert runs[0] == runs[1]


@settings(max_examples=examples(60), deadline=None)
@given(terms=ANY_TERMS, acts=ACTS)
def test_a_day_without_a_recorded_change_changes_no_bucket(
    terms: Terms, acts: list[tuple[str, int, int]]
) -> None:
    """The recorded standing is the truth of every day between: ageing misses no edge."""
    desk = Desk(terms, STARTS_ON)
    for what, days, share in acts:
        act(desk, what, days, share)
    for _ in range(40):
        desk.go_to(desk.on + timedelta(days=1))
        line = desk.account.timeline(desk.on)
        true = standing_of(line)
        assert desk.account.standing.buckets == true.buckets
        assert desk.account.standing.major == true.major


@settings(max_examples=examples(80), deadline=None)
@given(
    terms=ANY_TERMS,
    parts=st.lists(
        st.tuples(st.integers(1, 300), st.integers(1, 40)),
        min_size=2,
        max_size=6,
        unique_by=lambda part: part[0],
    ),
    shuffled=st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_does_not_matter(
    terms: Terms, parts: list[tuple[int, int]], shuffled: object
) -> None:
    """Repayments of different dates end in the same loan, in whatever order they are recorded."""
    terms = msgspec.structs.replace(terms, overpayment=Overpayment.CREDIT, rebate_unearned=False)
    mixed = list(parts)
    shuffled.shuffle(mixed)
    ends = []
    for order in (sorted(parts), mixed):
        desk = Desk(terms, STARTS_ON)
        desk.go_to(STARTS_ON + timedelta(days=301))
        for day, share in order:
            desk.account = msgspec.structs.replace(desk.account)
            amount = max(1, terms.principal_minor * share // 100)
            on = STARTS_ON + timedelta(days=day)
            try:
                desk.ask(cmd.PostRepayment, value_on=on, amount_minor=amount, currency="CNY")
            except Exception:
                assume(False)
        line = desk.account.timeline(desk.on)
        ends.append((figures(line), [rows_of(row) for row in line.rows], line.books))
    assert ends[0] == ends[1]


def rows_of(row: Row) -> tuple[object, ...]:
    """Return what is said about one row."""
    return row.due_on, row.principal_due, row.interest_due, row.paid, row.paid_on


@settings(max_examples=examples(80), deadline=None)
@given(terms=ANY_TERMS, acts=ACTS, share=st.integers(1, 100))
def test_undoing_restores(terms: Terms, acts: list[tuple[str, int, int]], share: int) -> None:
    """A repayment taken back leaves every figure, row and bucket as it was."""
    desk = Desk(terms, STARTS_ON)
    for what, days, part in acts:
        act(desk, what, days, part)
    before, count = desk.account.timeline(desk.on), len(desk.events)
    act(desk, "repay", 0, share)
    posted = [e for e in desk.events[count:] if isinstance(e, ev.RepaymentPosted)]
    assume(posted)

    desk.ask(cmd.ReverseRepayment, repayment_id=posted[0].repayment_id, reason="returned")

    after = desk.account.timeline(desk.on)
    assert figures(after) == figures(before)
    assert [rows_of(r) for r in after.rows] == [rows_of(r) for r in before.rows]
    assert {k: v for k, v in after.books.items() if v} == {
        k: v for k, v in before.books.items() if v
    }
    assert desk.account.standing.buckets == standing_of(before).buckets


@settings(max_examples=examples(80), deadline=None)
@given(
    method=st.sampled_from(EQUAL_PERIODS),
    rate=st.decimals("0.001", "0.36", places=4),
    count=st.integers(2, 60),
    months=st.integers(1, 3),
)
def test_the_rate_of_return_of_a_schedule_is_the_contract_rate(
    method: RepaymentMethod, rate: Decimal, count: int, months: int
) -> None:
    """With rounding made small by a large principal, the flows yield the nominal rate."""
    terms = msgspec.structs.replace(
        TERMS,
        principal_minor=10**13,
        rate_annual=rate,
        method=method,
        day_count=DayCount.PERIOD_360,
        instalments=count,
        months_per_instalment=months,
        first_due_on=date(2026, 4, 5),
    )
    flows = [-terms.principal_minor] + [
        row.principal_due_minor + row.interest_due_minor
        for row in schedule(terms, date(2026, 1, 5))
    ]

    assert abs(irr(flows) * 12 / months - float(rate)) < 1e-6


@settings(max_examples=examples(80), deadline=None)
@given(terms=ANY_TERMS, acts=ACTS)
def test_the_loan_is_as_late_as_its_oldest_instalment(
    terms: Terms, acts: list[tuple[str, int, int]]
) -> None:
    """Loan level and instalment level count the same days and the same arrears."""
    desk = Desk(terms, STARTS_ON)
    for what, days, share in acts:
        act(desk, what, days, share)
    line = desk.account.timeline(desk.on)
    standing, late = standing_of(line), line.overdue
    by_row = [(desk.on - row.due_on).days for row in late]

    assert standing.days_past_due == max(by_row, default=0)
    assert standing.arrears_minor == sum(row.unpaid for row in late)
    if late and not line.terms.delinquency.materiality_minor:
        worst = max(days_counted(line, row.due_on) for row in late)
        scheme = line.terms.delinquency.schemes[0]
        assert standing.buckets[scheme.name] == scheme.bucket(worst)


@given(terms=ANY_TERMS, acts=ACTS)
def test_the_control_accounts_are_the_sum_of_the_rows(
    terms: Terms, acts: list[tuple[str, int, int]]
) -> None:
    """What postings made of principal, receivables and liabilities is what the rows say."""
    desk = Desk(terms, STARTS_ON)
    for what, days, share in acts:
        act(desk, what, days, share)
    line = desk.account.timeline(desk.on)
    posted = dict.fromkeys(sub_ledger(line), 0)
    for event in desk.events:
        for posting in getattr(event, "postings", ()):
            posted[posting.account] = posted.get(posting.account, 0) + posting.amount_minor
    for component, amount in accrued(line).items():
        account = POSTING_POLICIES["accrual/1"].credited[component]
        posted[account] = posted.get(account, 0) + amount

    assert {name: posted[name] for name in sub_ledger(line)} == sub_ledger(line)


def test_prepayments_shorten_reduce_or_hold() -> None:
    """1,000.00 early on a level loan: fewer instalments, lower ones, or the next one paid."""
    terms = msgspec.structs.replace(
        TERMS, method=RepaymentMethod.LEVEL_INSTALMENT, principal_minor=1_200_000
    )
    left = {}
    for rule in Prepayment:
        desk = Desk(msgspec.structs.replace(terms, prepayment=rule))
        desk.go_to(date(2026, 2, 5))
        desk.repay("1066.19")
        desk.go_to(date(2026, 2, 10))
        desk.repay("4000.00")
        rows = [r for r in desk.account.timeline(desk.on).rows if r.unpaid]
        left[rule] = (len(rows), rows[1].principal_due + rows[1].interest_due)

    assert left[Prepayment.HOLD] == (8, 106_619)
    assert left[Prepayment.REDUCE][0] == 11
    assert left[Prepayment.REDUCE][1] < 70_000
    assert left[Prepayment.SHORTEN][0] == 7
    assert left[Prepayment.SHORTEN][1] <= 106_619


def test_future_rules_place_money_in_advance() -> None:
    """300.00 in advance: the next instalment, the last one, or a share of each."""
    placed = {}
    for rule in FutureRule:
        waterfall = msgspec.structs.replace(TERMS.waterfall, future=rule)
        terms = msgspec.structs.replace(TERMS, waterfall=waterfall, instalments=3)
        desk = Desk(terms)
        desk.repay("300.00")
        placed[rule] = [row.paid for row in desk.account.timeline(desk.on).rows]

    assert placed[FutureRule.NEXT] == [30_000, 0, 0]
    assert placed[FutureRule.LAST] == [0, 0, 30_000]
    assert placed[FutureRule.SPREAD] == [10_000, 10_000, 10_000]


@settings(max_examples=examples(60), deadline=None)
@given(terms=ANY_TERMS, acts=ACTS)
def test_what_was_posted_so_far_is_the_books(
    terms: Terms, acts: list[tuple[str, int, int]]
) -> None:
    """After every fact, account by account: backdated, reversed, charged off, sold."""
    desk = Desk(terms, STARTS_ON)
    for what, days, share in acts:
        act(desk, what, days, share)
    replayed, account = Replayed(), None

    for position, event in enumerate(desk.events, start=1):
        account = evolve(account, event)
        place = Logged(position, f"loan/{event.loan_id}", account.version, "", b"")
        replayed.take(Followed(place, event, account))

    assert replayed.misposted == replayed.untied == replayed.unbalanced == []
