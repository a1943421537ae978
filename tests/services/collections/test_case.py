"""The life of a case as a table of events, and what follows in whatever order they are heard."""

from __future__ import annotations

from datetime import date
from itertools import permutations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.collections.domain.case import Case, Ending, follow, see_date
from services.collections.domain.heard import Heard
from services.collections.domain.promises import Part, Promise


def heard(sequence: int, type_: str, on: str, late: int, bucket: str, amount: int = 0) -> Heard:
    return Heard(
        loan_id="L-1",
        borrower_ref="B-1",
        sequence=sequence,
        type=type_,
        effective_on=date.fromisoformat(on),
        days_past_due=late,
        minor=0 < late <= 3,
        bucket=bucket,
        arrears_minor=100 if late else 0,
        amount_minor=amount,
    )


LIFE = [
    # sequence, event, date, days past due, bucket | what happens                | stage, open
    ((1, "INSTALMENT_DUE", "2026-02-05", 0, "M0"), [], None),
    ((2, "GRACE_ENTERED", "2026-02-06", 1, "M1"), ["case_opened", "stage_entered"], "GRACE"),
    ((2, "GRACE_ENTERED", "2026-02-06", 1, "M1"), [], "GRACE"),
    ((3, "BUCKET_CHANGED", "2026-02-06", 1, "M1"), [], "GRACE"),
    ((4, "GRACE_EXPIRED", "2026-02-09", 4, "M1"), ["stage_entered"], "M1"),
    ((5, "BUCKET_CHANGED", "2026-03-08", 31, "M2"), ["stage_entered"], "M2"),
    ((6, "REPAYMENT_POSTED", "2026-03-10", 31, "M2", 500), [], "M2"),
    ((7, "CURED", "2026-03-10", 0, "M0"), ["case_closed"], "M2"),
    ((8, "GRACE_ENTERED", "2026-04-06", 1, "M1"), ["case_opened", "stage_entered"], "GRACE"),
    ((9, "TIMELINE_RESTATED", "2026-04-05", 1, "M1"), ["history_restated"], "GRACE"),
    ((10, "CURED", "2026-04-06", 0, "M0"), ["case_closed"], "GRACE"),
    ((11, "BUCKET_CHANGED", "2026-06-06", 32, "M2"), ["case_opened", "stage_entered"], "M2"),
    ((12, "CHARGED_OFF", "2026-09-06", 124, "M5"), ["stage_entered", "case_charged_off"], "M5"),
    ((13, "RECOVERY_POSTED", "2026-09-07", 125, "M5", 9), [], "M5"),
    ((14, "SETTLED", "2026-09-08", 0, "M0"), ["case_closed"], "M5"),
]


def test_the_life_of_a_case() -> None:
    """A case opens when the loan is late, enters each stage once, and closes when nothing is."""
    case: Case | None = None

    for event, wanted, stage in LIFE:
        case, happened = follow(case, heard(*event))

        assert (event, happened) == (event, wanted)
        assert (case.episodes[-1].stage if case else None) == stage

    assert case is not None
    endings = [episode.ending for episode in case.episodes]
    assert endings == [Ending.CURED, Ending.RESTATED, Ending.SETTLED]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_events_twice_late_and_out_of_order_end_the_same(data: st.DataObject) -> None:
    """However often and in whatever order a case hears its events, it ends the same."""
    events = [heard(*event) for event, _, _ in LIFE[1:]]
    in_order: Case | None = None
    for event in events:
        in_order, _ = follow(in_order, event)
    again = data.draw(st.lists(st.sampled_from(events), max_size=10))
    first = data.draw(st.sampled_from([event for event in events if event.days_past_due]))
    rest = data.draw(st.permutations([event for event in events if event is not first] + again))

    shuffled: Case | None = None
    for event in [first, *rest]:
        shuffled, _ = follow(shuffled, event)

    assert shuffled == in_order


PROMISE = Promise(promise_id="p", made_on=date(2026, 2, 10), parts=(Part(date(2026, 2, 15), 100),))
LATE, _ = follow(None, heard(1, "GRACE_ENTERED", "2026-02-06", 1, "M1"))
assert LATE is not None
PROMISED = msgspec.structs.replace(LATE, promises=(PROMISE,))
PAYMENTS = [
    # payments by value date                      | status once 16 February is seen
    ([("2026-02-15", 100)], "KEPT"),
    ([("2026-02-12", 60), ("2026-02-15", 40)], "KEPT"),
    ([("2026-02-12", 60), ("2026-02-16", 40)], "PART_KEPT"),
    ([("2026-02-09", 100)], "BROKEN"),
    ([("2026-02-12", 100), ("2026-02-12", -100)], "BROKEN"),
    ([("2026-02-12", 100), ("2026-02-12", -100), ("2026-02-14", 100)], "KEPT"),
    ([], "BROKEN"),
]


@pytest.mark.parametrize(("payments", "status"), PAYMENTS)
def test_a_promise_is_kept_by_money_in_time(payments: list[tuple[str, int]], status: str) -> None:
    """Money between promise and date keeps it, in whatever order we learn of money and date."""
    for order in permutations([*payments, ("2026-02-16", 0)]):
        case: Case | None = PROMISED
        for sequence, (on, amount) in enumerate(order, start=2):
            type_ = "REPAYMENT_POSTED" if amount >= 0 else "REPAYMENT_REVERSED"
            case, _ = follow(case, heard(sequence, type_, on, 10, "M1", abs(amount)))

        assert case is not None
        assert case.promise_standings()[0].status == status


def test_a_date_that_went_by_breaks_a_promise_once() -> None:
    """The business date alone breaks a promise; seeing it again says nothing new."""
    first, happened = see_date(PROMISED, date(2026, 2, 16))
    _, again = see_date(first, date(2026, 2, 17))

    assert (happened, again) == (["promise_broken"], [])
    assert see_date(PROMISED, date(2026, 2, 15))[1] == []


def test_backdated_money_mends_a_broken_promise() -> None:
    """Money found later that counts in time makes a broken promise a kept one."""
    broken, _ = see_date(PROMISED, date(2026, 2, 20))

    after, happened = follow(broken, heard(9, "REPAYMENT_POSTED", "2026-02-14", 3, "M1", 100))

    assert happened == ["promise_kept"]
    assert after is not None and after.promise_standings()[0].paid_minor == 100


PARTS = (Part(date(2026, 2, 15), 100), Part(date(2026, 3, 15), 100))
IN_PARTS = [
    # payments                                      | tolerance | seen        | status, paid
    ([("2026-02-15", 100)], (0, 0), "2026-02-20", "OPEN", 100),
    ([("2026-02-15", 100), ("2026-03-15", 100)], (0, 0), "2026-03-16", "KEPT", 200),
    ([("2026-02-14", 200)], (0, 0), "2026-02-20", "KEPT", 200),
    ([("2026-02-16", 100)], (0, 0), "2026-02-20", "PART_KEPT", 100),
    ([("2026-02-16", 100)], (0, 1), "2026-02-20", "OPEN", 100),
    ([("2026-02-15", 99), ("2026-03-15", 100)], (1, 0), "2026-03-16", "KEPT", 199),
    ([("2026-02-15", 98), ("2026-03-15", 102)], (1, 0), "2026-03-16", "PART_KEPT", 200),
    ([], (0, 2), "2026-02-17", "OPEN", 0),
    ([], (0, 2), "2026-02-18", "BROKEN", 0),
]


@pytest.mark.parametrize(("payments", "tolerance", "seen", "status", "paid"), IN_PARTS)
def test_a_promise_in_parts(
    payments: list[tuple[str, int]], tolerance: tuple[int, int], seen: str, status: str, paid: int
) -> None:
    """Each part has its date; what may be missing and for how long is said beforehand."""
    promise = Promise(
        promise_id="p",
        made_on=date(2026, 2, 10),
        parts=PARTS,
        tolerance_minor=tolerance[0],
        tolerance_days=tolerance[1],
    )
    case: Case | None = msgspec.structs.replace(LATE, promises=(promise,))
    for sequence, (on, amount) in enumerate(payments, start=2):
        case, _ = follow(case, heard(sequence, "REPAYMENT_POSTED", on, 10, "M1", amount))
    assert case is not None

    case, _ = see_date(case, date.fromisoformat(seen))

    assert case.promise_standings()[0][1:] == (status, paid)


def test_money_keeps_one_promise() -> None:
    """The same money does not keep two promises: the one that is due first takes it."""
    later = Promise(promise_id="q", made_on=PROMISE.made_on, parts=(Part(date(2026, 2, 18), 100),))
    both = msgspec.structs.replace(PROMISED, promises=(later, PROMISE))

    paid, _ = follow(both, heard(2, "REPAYMENT_POSTED", "2026-02-12", 6, "M1", 100))
    seen, _ = see_date(paid, date(2026, 2, 19)) if paid else (both, [])

    assert [(s.promise_id, s.status) for s in seen.promise_standings()] == [
        ("q", "BROKEN"),
        ("p", "KEPT"),
    ]


def test_overlapping_promises_take_money_part_by_part() -> None:
    """Money of February keeps the part of March, not a later promise that is due before June."""
    parts = Promise(
        promise_id="p1",
        made_on=date(2026, 2, 10),
        parts=(Part(date(2026, 3, 1), 100), Part(date(2026, 6, 1), 100)),
    )
    other = Promise(
        promise_id="p2", made_on=date(2026, 2, 11), parts=(Part(date(2026, 4, 1), 100),)
    )
    case: Case | None = msgspec.structs.replace(LATE, promises=(parts, other))
    for sequence, on in enumerate(("2026-02-28", "2026-03-30", "2026-05-30"), start=2):
        case, _ = follow(case, heard(sequence, "REPAYMENT_POSTED", on, 10, "M1", 100))
    assert case is not None

    case, _ = see_date(case, date(2026, 6, 2))

    assert [one[1:] for one in case.promise_standings()] == [("KEPT", 200), ("KEPT", 100)]


RESTATED = [
    # sequence, event, date, days past due, bucket, log version | what it supersedes
    ((1, "GRACE_ENTERED", "2026-02-06", 1, "M1", 3), ()),
    ((2, "GRACE_EXPIRED", "2026-02-09", 4, "M1", 4), ()),
    ((3, "BUCKET_CHANGED", "2026-03-08", 31, "M2", 5), ()),
    ((4, "REPAYMENT_POSTED", "2026-03-01", 31, "M2", 6), ()),
    ((5, "TIMELINE_RESTATED", "2026-03-01", 31, "M2", 7), (5,)),
    ((6, "BUCKET_CHANGED", "2026-03-10", 5, "M1", 8), ()),
]


def test_a_stage_that_no_longer_holds_is_left() -> None:
    """Money found later says that M2 was never entered: the case is in M1, in any order heard."""
    events = [
        msgspec.structs.replace(heard(*row[:5]), log_version=row[5], superseded=gone)
        for row, gone in RESTATED
    ]
    case: Case | None = None
    for event in events:
        case, happened = follow(case, event)
    shuffled: Case | None = None
    for event in [*events[:1], *reversed(events[1:])]:
        shuffled, _ = follow(shuffled, event)

    assert case is not None and shuffled is not None
    assert happened == []
    assert [stage for stage, _ in case.episodes[-1].stages] == ["GRACE", "M1"]
    assert shuffled.episodes == case.episodes


def test_what_is_cured_and_settled_by_the_same_money_is_settled() -> None:
    """The ledger publishes both; a settlement of a later day leaves the cure a cure."""
    case: Case | None = None
    for row in ((1, "BUCKET_CHANGED", "2026-03-07", 30, "M1"), (2, "CURED", "2026-03-10", 0, "M0")):
        case, _ = follow(case, heard(*row))
    same, happened = follow(case, heard(3, "SETTLED", "2026-03-10", 0, "M0"))
    later, _ = follow(case, heard(3, "SETTLED", "2026-03-11", 0, "M0"))

    assert same is not None and later is not None
    assert (same.episodes[-1].ending, happened) == (Ending.SETTLED, [])
    assert later.episodes[-1].ending is Ending.CURED
