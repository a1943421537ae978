"""Plain repayments are walked together, and end where one after the other would."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.domain.facts import FactKind, MoneyFact
from services.ledger.domain.ladder import Ladder
from services.ledger.domain.replay import at, begin, timeline
from services.ledger.domain.terms import Overpayment, Prepayment, RepaymentMethod, Terms
from services.ledger.domain.walk import Walk, proceed
from services.ledger.domain.waterfall import (
    CIVIL_CODE_561,
    DUE,
    IN_ADVANCE,
    INTEREST,
    OLDEST_FIRST,
    PAST_DUE,
    PENALTY,
    PRINCIPAL,
    Component,
    FutureRule,
    PaymentSource,
    Stage,
    Waterfall,
)
from tests.services.ledger.domain.desk import TERMS
from tests.services.ledger.domain.lives import examples

STARTS_ON = date(2026, 1, 5)
BOTH = (INTEREST, PRINCIPAL)
AT_ONCE = Waterfall("all/1", (Stage((IN_ADVANCE, DUE, PAST_DUE), (PENALTY, *BOTH)),))
BUCKETS = (PAST_DUE, DUE, IN_ADVANCE)
LATE_FIRST = Waterfall(
    "late-first/1", tuple(Stage((b,), BOTH) for b in (PAST_DUE, DUE, IN_ADVANCE))
)
DUE_FIRST = Waterfall("due-first/1", tuple(Stage((b,), BOTH) for b in (DUE, PAST_DUE, IN_ADVANCE)))
PRINCIPAL_FIRST = Waterfall("principal/1", (Stage(BUCKETS, BOTH[::-1]),))
NEVER_AHEAD = Waterfall("never-ahead/1", (Stage((PAST_DUE, DUE), BOTH),))
LAST = msgspec.structs.replace(
    OLDEST_FIRST, future_by_source=((PaymentSource.BORROWER, FutureRule.LAST),)
)
WATERFALLS = [OLDEST_FIRST, AT_ONCE, LATE_FIRST, DUE_FIRST, PRINCIPAL_FIRST, NEVER_AHEAD, LAST]
WATERFALLS += [msgspec.structs.replace(OLDEST_FIRST, charges_with_instalment=True), CIVIL_CODE_561]
CONTRACTS = st.builds(
    msgspec.structs.replace,
    st.just(TERMS),
    principal_minor=st.sampled_from([1_000, 120_000, 1_200_001]),
    rate_annual=st.sampled_from([Decimal(0), Decimal("0.12"), Decimal("0.36")]),
    method=st.sampled_from([m for m in RepaymentMethod if m is not RepaymentMethod.AGREED]),
    instalments=st.integers(2, 12),
    penalty_rate_annual=st.sampled_from([Decimal(0), Decimal(0), Decimal("0.18")]),
    penalty_from_grace=st.booleans(),
    interest_grace_instalments=st.integers(0, 1),
    principal_grace_instalments=st.integers(0, 1),
    down_payment_rate=st.sampled_from([Decimal(0), Decimal(0), Decimal("0.25")]),
    waterfall=st.sampled_from([OLDEST_FIRST] * 6 + WATERFALLS),
    prepayment=st.sampled_from([Prepayment.HOLD] * 3 + list(Prepayment)),
    prepayment_fee_rate=st.sampled_from([Decimal(0), Decimal(0), Decimal(0), Decimal("0.013")]),
    overpayment=st.sampled_from(Overpayment),
    rebate_unearned=st.booleans(),
    posting_policy=st.sampled_from(["cash/1", "accrual/1"]),
)
PAID = [FactKind.REPAYMENT] * 8
OTHER = [FactKind.CHARGE, FactKind.RESTRUCTURE, FactKind.INTEREST_PAUSE, FactKind.DISBURSEMENT]
OTHER += [
    FactKind.ACCELERATION,
    FactKind.RECOVERY,
    FactKind.CHARGE_OFF,
    FactKind.TRANSFER,
    FactKind.WAIVER,
]
HAPPENED = st.lists(
    st.tuples(
        st.sampled_from([*PAID, *OTHER]),
        st.sampled_from([0, 0, 1, 2, 28, 31, 31, 59]),
        st.sampled_from([1, 4, 9, 12, 35, 50, 100, 101]),
        CONTRACTS,
    ),
    min_size=1,
    max_size=12,
)
Happened = list[tuple[FactKind, int, int, Terms]]


def facts_of(terms: Terms, happened: Happened) -> list[MoneyFact]:
    """Return facts of a loan, one after the other; a new plan has terms of its own."""
    on, facts = STARTS_ON, list[MoneyFact]()
    for version, (kind, days, share, agreed) in enumerate(happened, start=3):
        on += timedelta(days=days)
        amount = max(1, terms.principal_minor * share // 100)
        later = on + timedelta(days=share)
        dated = kind is FactKind.CHARGE and days > 2
        paused = kind is FactKind.INTEREST_PAUSE
        new = msgspec.structs.replace(agreed, first_due_on=later)
        fact = MoneyFact(
            kind=kind,
            effective_on=on,
            version=version,
            fact_id="f-3" if kind is FactKind.WAIVER else f"f-{version}",
            amount_minor=amount,
            terms=new if kind is FactKind.RESTRUCTURE else None,
            component=Component.FEE,
            due_on=later if dated else on if paused else None,
            until_on=later if paused else None,
            source=PaymentSource.GOODWILL if days == 2 else PaymentSource.BORROWER,
            party_ref="fund",
        )
        facts.append(fact)
    return facts


@settings(max_examples=examples(400), deadline=None)
@given(terms=CONTRACTS, happened=HAPPENED, looks=st.lists(st.integers(0, 400), max_size=4))
def test_walked_together_is_one_after_the_other(
    terms: Terms, happened: Happened, looks: list[int]
) -> None:
    """Whatever the contract, new plans and charges between: the same rows, slots and books."""
    facts = facts_of(terms, happened)
    end = facts[-1].effective_on
    for fact in facts:
        on = fact.effective_on
        line = begin(terms, STARTS_ON)
        proceed(line, facts, on)
        assert line == timeline(terms, STARTS_ON, facts, on)

    walk = Walk(begin(terms, STARTS_ON), facts, watched=True)
    days = [STARTS_ON + timedelta(days=look) for look in sorted(looks)]
    for on in days:
        walk.count(on)
    walk.count(end)
    late = [timeline(terms, STARTS_ON, facts, on).days_past_due for on in days]
    assert walk.days_past_due(days) == late
    line = walk.arrived()
    assert line == timeline(terms, STARTS_ON, facts, line.on)


@settings(max_examples=examples(150), deadline=None)
@given(terms=CONTRACTS, happened=HAPPENED, days=st.integers(0, 90))
def test_two_that_share_rows_go_their_own_ways(terms: Terms, happened: Happened, days: int) -> None:
    """Whatever happens to the second, and then to the first, neither shows in the other."""
    facts = facts_of(terms, happened)
    half, end = facts[: len(facts) // 2], facts[-1].effective_on + timedelta(days=days)
    middle = half[-1].effective_on if half else STARTS_ON
    line = begin(terms, STARTS_ON)
    proceed(line, half, middle)

    twin = line.sharing()
    proceed(twin, facts[len(half) :], end)
    at(twin, end)
    assert line == timeline(terms, STARTS_ON, half, middle)

    third = twin.sharing()
    at(line, end)
    at(third, end + timedelta(days=days))
    assert line == timeline(terms, STARTS_ON, half, end)
    assert twin == timeline(terms, STARTS_ON, facts, end)
    assert third == timeline(terms, STARTS_ON, facts, end + timedelta(days=days))


def fact(kind: FactKind, days: int, amount: int = 0, **more: object) -> MoneyFact:
    """Return a fact so many days after the loan was paid out."""
    on = STARTS_ON + timedelta(days=days)
    return MoneyFact(
        kind=kind, effective_on=on, version=days, fact_id=f"f-{days}", amount_minor=amount, **more
    )


PLAIN = msgspec.structs.replace(
    TERMS, penalty_rate_annual=Decimal(0), overpayment=Overpayment.CREDIT, instalments=3
)
LATE = msgspec.structs.replace(TERMS, method=RepaymentMethod.LEVEL_INSTALMENT, instalments=3)
PAUSED = fact(
    FactKind.INTEREST_PAUSE, 6, due_on=date(2026, 1, 11), until_on=STARTS_ON + timedelta(days=30)
)
FREE = msgspec.structs.replace(PLAIN, rate_annual=Decimal(0))


@pytest.mark.parametrize(
    ("terms", "facts"),
    [
        (FREE, [fact(FactKind.REPAYMENT, 31, 400_000), fact(FactKind.REPAYMENT, 40, 800_000)]),
        (PLAIN, [fact(FactKind.REPAYMENT, 40, 1_300_000), fact(FactKind.DISBURSEMENT, 50, 90_000)]),
        (PLAIN, [fact(FactKind.CHARGE, 10, 5_000), fact(FactKind.REPAYMENT, 20, 500_000)]),
        (PLAIN, [fact(FactKind.CHARGE_OFF, 10), fact(FactKind.REPAYMENT, 20, 500_000)]),
        (PLAIN, [fact(FactKind.TRANSFER, 10, 9_000, party_ref="fund")]),
        (PLAIN, [fact(FactKind.REPAYMENT, 5, 12_000), PAUSED]),
        (LATE, [fact(FactKind.REPAYMENT, 5, 408_027), PAUSED]),
        (msgspec.structs.replace(PLAIN, waterfall=DUE_FIRST), []),
        (msgspec.structs.replace(PLAIN, waterfall=PRINCIPAL_FIRST), []),
        (msgspec.structs.replace(PLAIN, waterfall=NEVER_AHEAD), []),
        (msgspec.structs.replace(PLAIN, waterfall=LAST), []),
    ],
)
def test_what_asks_for_more_is_not_walked_together(terms: Terms, facts: list[MoneyFact]) -> None:
    """Then every repayment goes through the stages of its contract, as the definition does."""
    facts = [*facts, fact(FactKind.REPAYMENT, 59, 1_000), fact(FactKind.REPAYMENT, 60, 500_000)]
    end = facts[-1].effective_on

    line = begin(terms, STARTS_ON)
    proceed(line, facts, end)

    assert line == timeline(terms, STARTS_ON, facts, end)


def test_a_plain_loan_is_walked_together() -> None:
    """Two years of repayments, none through the stages: the law could not tell."""
    facts = [fact(FactKind.REPAYMENT, 30 * k, 100 * k) for k in range(1, 24)]
    ladder = Ladder.of(begin(PLAIN, STARTS_ON), facts[0])

    assert ladder is not None
    assert ladder.climb(facts, 0, facts[-1].effective_on) == len(facts)
