"""What began too late to be judged is no failure; how sure a share is depends on the people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import msgspec
import pytest

from services.collections.domain.case import Case, follow, see_date, with_promise
from services.collections.domain.figures import Book, Span
from services.collections.domain.promises import Part, Promise
from tests.services.collections.counting import share_of, shares
from tests.services.collections.test_case import heard

YEAR = (date(2026, 1, 1), date(2026, 12, 31))


def case(*rows: tuple[str, str, int, str], loan: str = "L-1") -> Case:
    """Return a case that heard events: type, day, days past due, bucket."""
    found: Case | None = None
    for number, (type_, on, late, bucket) in enumerate(rows, 1):
        minor = type_ == "GRACE_ENTERED"
        one = msgspec.structs.replace(heard(number, type_, on, late, bucket), minor=minor)
        named = msgspec.structs.replace(one, loan_id=loan, borrower_ref=loan)
        found, _ = follow(found, named)
    assert found is not None
    return found


LATE = ("BUCKET_CHANGED", "2026-03-01", 4, "M1")
CURED_SOON = ("CURED", "2026-03-31", 0, "M0")
CURED_LATE = ("CURED", "2026-05-31", 0, "M0")
WORSE = ("BUCKET_CHANGED", "2026-03-28", 31, "M2")
MUCH_LATER = ("BUCKET_CHANGED", "2026-04-28", 31, "M2")
EPISODES: list[tuple[str, list[tuple[str, str, int, str]], str, tuple[int, int, int]]] = [
    # figure | what happened | book's last day | part, whole, too young
    ("cure", [LATE], "2026-03-02", (0, 0, 1)),
    ("cure", [LATE], "2026-05-29", (0, 0, 1)),
    ("cure", [LATE], "2026-05-30", (0, 1, 0)),
    ("cure", [LATE, CURED_SOON], "2026-04-15", (0, 0, 1)),
    ("cure", [LATE, CURED_SOON], "2026-05-30", (1, 1, 0)),
    ("cure", [LATE, CURED_LATE], "2026-12-31", (0, 1, 0)),
    ("roll_m1", [LATE], "2026-03-31", (0, 0, 1)),
    ("roll_m1", [LATE], "2026-04-01", (0, 1, 0)),
    ("roll_m1", [LATE, WORSE], "2026-03-30", (0, 0, 1)),
    ("roll_m1", [LATE, WORSE], "2026-04-01", (1, 1, 0)),
    ("roll_m1", [LATE, MUCH_LATER], "2026-12-31", (0, 1, 0)),
]


@pytest.mark.parametrize(("figure", "rows", "seen_on", "counted"), EPISODES)
def test_every_time_is_watched_for_as_long(
    figure: str, rows: list[tuple[str, str, int, str]], seen_on: str, counted: tuple[int, int, int]
) -> None:
    """Ninety days for a cure, a month for a roll; a cure of yesterday is not counted either."""
    span = Span(*YEAR, date.fromisoformat(seen_on))
    found = {one.figure: one for one in shares(Book([case(*rows)], [], [], []), span)}

    assert (found[figure].part, found[figure].whole, found[figure].young) == counted


PAID = ("REPAYMENT_POSTED", "2026-03-05", 8, "M1")
WORDS: list[tuple[Sequence[tuple[str, str, int, str]], str, tuple[int, int, int]]] = [
    # what happened | book's last day | kept, whole, too young
    ([LATE, PAID], "2026-03-09", (0, 0, 1)),
    ([LATE, PAID], "2026-03-10", (0, 0, 1)),
    ([LATE, PAID], "2026-03-11", (1, 1, 0)),
    ([LATE], "2026-03-11", (0, 1, 0)),
]


@pytest.mark.parametrize(("rows", "seen_on", "counted"), WORDS)
def test_a_promise_counts_once_its_day_went_by(
    rows: Sequence[tuple[str, str, int, str]], seen_on: str, counted: tuple[int, int, int]
) -> None:
    """One kept early waits for its day like those that will be broken."""
    day = date.fromisoformat(seen_on)
    promise = Promise(
        promise_id="p-1", made_on=date(2026, 3, 2), parts=(Part(date(2026, 3, 10), 1_000),)
    )
    late = with_promise(case(*rows), promise, "CNY")
    paid = [
        msgspec.structs.replace(fact, amount_minor=1_000) if "REPAYMENT" in fact.type else fact
        for fact in late.facts
    ]
    late, _ = see_date(msgspec.structs.replace(late, facts=tuple(paid)), day)
    found = {one.figure: one for one in shares(Book([late], [], [], []), Span(*YEAR, day))}

    kept = found["promise_kept"]
    assert (kept.part, kept.whole, kept.young) == counted


SURE = [
    # borrowers: how many times each, how many of them came about | effective | low | high
    ([(1, 1)] * 8 + [(1, 0)] * 2, "10", "0.4902", "0.9433"),
    ([(5, 5)] * 4 + [(5, 0)], "5", "0.3755", "0.9638"),
    ([(2, 1)] * 5, "10", "0.2366", "0.7634"),
    ([(20, 20)], "1", "0.2065", "1.0000"),
    ([(1, 0)] * 10, "10", "0.0000", "0.2775"),
]


@pytest.mark.parametrize(("people", "effective", "low", "high"), SURE)
def test_twenty_times_one_borrower_is_not_twenty_borrowers(
    people: list[tuple[int, int]], effective: str, low: str, high: str
) -> None:
    """Ten people once each: Wilson as printed. Five people five times: as sure as of five."""
    rows: list[tuple[str, bool | None]] = [
        (f"B-{number}", did < came)
        for number, (times, came) in enumerate(people)
        for did in range(times)
    ]
    one = share_of(rows)

    assert one.effective == Decimal(effective)
    assert one.bounds is not None
    assert tuple(str(bound) for bound in one.bounds[1:]) == (low, high)
    assert one.borrowers == len(people)
