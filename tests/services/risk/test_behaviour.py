"""Features know nothing of what came later; the trial counts what officers would have found."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lending.ledger.v1.events_pb2 import DelinquencyEvent, DelinquencyEventType

from services.risk.adapters.tape import facts, read_tape, write_tape
from services.risk.domain.behaviour import (
    Fact,
    FactFromTheFuture,
    days_past_due,
    days_to_pay,
    features,
    first_over_thirty,
    known,
)
from services.risk.domain.indicators import Indicator, WarningRules
from services.risk.training.rule_trial import RuleResult, try_rules
from services.risk.training.warning_trial import (
    COLUMNS,
    Origination,
    Snapshot,
    month_ends,
    snapshots,
    try_ranking,
)

TYPES = (
    *("INSTALMENT_DUE", "DELINQUENCY_STARTED", "GRACE_EXPIRED", "CURED", "PARTIALLY_CURED"),
    *("REPAYMENT_POSTED", "REPAYMENT_REVERSED", "BUCKET_CHANGED", "SETTLED"),
)


def day(text: str) -> date:
    return date.fromisoformat(f"2026-{text}")


def fact(on: str, type_: str, due: str = "", bucket: str = "", loan: str = "L-1") -> Fact:
    return Fact(
        loan_id=loan,
        sequence=day(on).toordinal(),
        type=type_,
        effective_on=day(on),
        known_on=day(on),
        oldest_due_on=day(due) if due else None,
        bucket_to=bucket,
    )


LATE_ONCE = [
    fact("01-05", "INSTALMENT_DUE"),
    fact("02-05", "INSTALMENT_DUE"),
    fact("02-06", "DELINQUENCY_STARTED", due="02-05"),
    fact("02-09", "GRACE_EXPIRED", due="02-05"),
    fact("02-20", "CURED"),
    fact("03-05", "INSTALMENT_DUE"),
]


def test_features_of_a_loan_late_once() -> None:
    """One lateness of 15 days, seen in February and in March."""
    in_february = features(LATE_ONCE[:4], day("02-10"))
    in_march = features(LATE_ONCE, day("03-31"))

    assert (in_february["days_late_now"], in_march["days_late_now"]) == ("5", "0")
    assert in_march["late_starts_180d"] == in_march["late_beyond_grace_180d"] == "1"
    assert in_march["days_since_late"] == str((day("03-31") - day("02-06")).days)
    assert days_to_pay(LATE_ONCE, day("03-31")) == [0, 15, 0]
    assert in_march["days_to_pay_drift"] == "3.75"


def test_a_fact_from_the_future_is_refused() -> None:
    """A feature that is given anything learned after its date does not compute."""
    with pytest.raises(FactFromTheFuture):
        features(LATE_ONCE, day("03-04"))
    with pytest.raises(FactFromTheFuture):
        days_past_due(LATE_ONCE, day("03-04"))


_facts = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 60), st.sampled_from(TYPES)), max_size=30
)


def tape_of(rows: list[tuple[int, int, str]]) -> list[Fact]:
    """Return facts in the order of learning, each effective some days before it was learned."""
    return [
        Fact(
            loan_id="L-1",
            sequence=number,
            type=type_,
            effective_on=day("01-01") + timedelta(days=at - back),
            known_on=day("01-01") + timedelta(days=at),
            oldest_due_on=day("01-01") + timedelta(days=at - back)
            if "CURED" not in type_
            else None,
            bucket_to="M2" if type_ == "BUCKET_CHANGED" else "",
        )
        for number, (at, back, type_) in enumerate(sorted(rows), start=1)
    ]


@given(_facts, _facts, st.integers(0, 300))
def test_what_comes_later_changes_no_feature(
    rows: list[tuple[int, int, str]], others: list[tuple[int, int, str]], days: int
) -> None:
    """Whatever is learned after the date, backdated or not, the features of the date stay."""
    as_of = day("01-01") + timedelta(days=days)
    past = [row for row in rows if row[0] <= days]
    one = tape_of(past + [row for row in rows if row[0] > days])
    other = tape_of(past + [row for row in others if row[0] > days])

    assert features(known(one, as_of), as_of) == features(known(other, as_of), as_of)


@given(_facts, _facts, st.integers(0, 300))
def test_a_snapshot_takes_only_its_outcome_from_later(
    rows: list[tuple[int, int, str]], others: list[tuple[int, int, str]], days: int
) -> None:
    """Two futures of one past give the same attributes; only the outcome may differ."""
    as_of = day("01-01") + timedelta(days=days)
    past = [row for row in rows if row[0] <= days]
    origins = {"L-1": Origination("0.1", 12)}
    found = [
        snapshots(tape_of(past + [r for r in future if r[0] > days]), [as_of], origins)
        for future in (rows, others)
    ]

    assert [s.given for s in found[0]] == [s.given for s in found[1]]
    assert all(set(s.given) == {column.name for column in COLUMNS} for s in found[0])


def message(on: str, type_: str) -> DelinquencyEvent:
    kind = DelinquencyEventType.Value(f"DELINQUENCY_EVENT_TYPE_{type_}")
    reason = "returned debit" if type_ == "REPAYMENT_REVERSED" else ""
    return DelinquencyEvent(loan_id="L-1", type=kind, effective_on=f"2026-{on}", reason=reason)


def test_a_backdated_event_is_known_only_when_it_was_heard(tmp_path: Path) -> None:
    """The stream is in the order of learning: nothing in it was known before what came ahead."""
    events = [
        ("01-05", "INSTALMENT_DUE"),
        ("03-05", "INSTALMENT_DUE"),
        ("02-01", "REPAYMENT_REVERSED"),
    ]
    tape = facts(message(*one) for one in events)
    write_tape(tmp_path / "tape.jsonl", tape)

    assert [one.known_on for one in tape] == [day("01-05"), day("03-05"), day("03-05")]
    assert [one.effective_on for one in known(tape, day("03-04"))] == [day("01-05")]
    assert [one.reason for one in tape] == ["", "", "returned debit"]
    assert read_tape(tmp_path / "tape.jsonl") == tape


def rows_of(bad: list[bool]) -> list[Snapshot]:
    return [
        Snapshot(f"L-{n}", day("01-31"), {"n": str(n)}, 40 if is_bad else None)
        for n, is_bad in enumerate(bad)
    ]


def test_a_ranking_is_counted_at_the_officers_capacity() -> None:
    """Two looks a month: the perfect ranking finds both bad loans, the reverse finds none."""
    rows = rows_of([True, True, False, False, False])
    perfect = try_ranking("perfect", rows, lambda row: -float(row.given["n"]), per_date=2)
    reverse = try_ranking("reverse", rows, lambda row: float(row.given["n"]), per_date=2)

    assert (perfect.auc, perfect.precision, perfect.recall) == (1, 1, 1)
    assert (perfect.lead_days_median, perfect.alerts) == (40, 2)
    assert (reverse.auc, reverse.precision, reverse.recall) == (0, 0, 0)


RULES = WarningRules(
    version="test/1",
    window_days=90,
    cool_down_days=1,
    graces_min=9,
    part_payments_min=9,
    fall_share_max=0,
    falls_min=9,
    returned_min=1,
    returned_words=("returned",),
)


def tried(tape: list[Fact], first: date, last: date) -> dict[str, RuleResult]:
    return {one.name: one for one in try_rules(tape, RULES, first, last)}


def test_rules_are_tried_on_first_lateness_only() -> None:
    """An alert 25 days before the loan is over thirty days late is right; one after it is none."""
    tape = [
        fact("02-10", "GRACE_EXPIRED"),
        fact("03-07", "BUCKET_CHANGED", bucket="M2"),
        fact("03-10", "GRACE_EXPIRED"),
        fact("02-10", "GRACE_EXPIRED", loan="L-2"),
    ]
    found = tried(sorted(tape, key=lambda f: f.known_on), day("01-01"), day("06-01"))

    assert first_over_thirty(tape) == day("03-07")
    assert [(name, one.alerts, one.precision) for name, one in found.items() if one.facts] == [
        ("GRACE_EXPIRED", 2, 0.5),
        ("all together", 2, 0.5),
    ]
    grace = found["GRACE_EXPIRED"]
    assert (grace.recall, grace.lead_days_median, grace.too_late) == (1, 25, 1)


def test_what_no_fact_tells_of_has_no_figure() -> None:
    """A returned debit is tried, money posted in error is none; no report came, so no figure."""
    paid = fact("02-05", "REPAYMENT_REVERSED")
    tape = [
        msgspec.structs.replace(paid, reason="returned debit"),
        msgspec.structs.replace(paid, loan_id="L-2", reason="posted twice"),
        fact("03-07", "BUCKET_CHANGED", bucket="M2"),
    ]
    found = tried(tape, day("01-01"), day("06-01"))
    returned, reports, regions = (
        found[name] for name in ("DEBIT_RETURNED", "ENQUIRIES_MANY", "REGIONAL_SHOCK")
    )

    assert set(found) == {*map(str, Indicator), "all together"}
    assert (returned.facts, returned.alerts, returned.precision, returned.recall) == (1, 1, 1, 1)
    assert returned.lead_days_median == 30
    for one in (reports, regions):
        assert (one.facts, one.alerts, one.precision, one.recall) == (0, 0, None, None)


def test_a_warning_counts_from_when_it_could_be_raised() -> None:
    """An end of grace of 10 February learned on 2 March is 5 days ahead; on 8 March, too late."""
    bad = [
        fact("03-07", "BUCKET_CHANGED", bucket="M2"),
        fact("03-07", "BUCKET_CHANGED", bucket="M2", loan="L-2"),
    ]
    grace = fact("02-10", "GRACE_EXPIRED")
    tape = [
        msgspec.structs.replace(grace, known_on=day("03-02")),
        *bad,
        msgspec.structs.replace(grace, loan_id="L-2", known_on=day("03-08")),
    ]
    found = tried(tape, day("01-01"), day("06-01"))["GRACE_EXPIRED"]

    assert (found.alerts, found.too_late, found.precision) == (1, 1, 1.0)
    assert (found.recall, found.lead_days_median) == (0.5, 5)


def test_loans_found_are_those_that_turned_bad_in_the_days_tried() -> None:
    """Warned before the first day counts as found; turning bad after the last one is not missed."""
    tape = [
        fact("02-10", "GRACE_EXPIRED"),
        fact("03-07", "BUCKET_CHANGED", bucket="M2"),
        fact("03-20", "GRACE_EXPIRED", loan="L-3"),
        fact("06-10", "GRACE_EXPIRED", loan="L-2"),
        fact("07-05", "BUCKET_CHANGED", bucket="M2", loan="L-2"),
    ]
    found = tried(tape, day("03-01"), day("06-01"))["GRACE_EXPIRED"]

    assert (found.alerts, found.precision, found.recall) == (1, 0.0, 1.0)


def test_month_ends() -> None:
    """Ends of months, leap years included."""
    assert month_ends(date(2024, 1, 15), date(2024, 3, 30)) == [
        date(2024, 1, 31),
        date(2024, 2, 29),
    ]
