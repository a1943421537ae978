"""What alerts were worth, counted from what officers recorded."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from services.risk import wire
from services.risk.application.exposures import Exposures
from services.risk.application.watch import OverThirty, Watch
from services.risk.domain.alert_quality import alert_quality, alert_truth, by_officer, per_officer
from services.risk.domain.early_warning import (
    Alert,
    AlertNotYetRaised,
    AlertOutcome,
    acknowledged,
)
from services.risk.domain.indicators import Heard, Indicator
from shared.runtime.database import open_database
from shared.runtime.records import Records
from tests.services.risk.test_early_warning import RULES

RAISED = date(2026, 2, 6)


def alert(number: int, indicator: Indicator = Indicator.GRACE_AGAIN) -> Alert:
    return Alert(
        alert_id=f"a-{number}",
        borrower_ref=f"B-{number}",
        loan_id=f"L-{number}",
        indicator=indicator,
        raised_on=RAISED,
        text_en="",
        text_zh="",
        evidence=(),
        policy_version="test/1",
    )


def closed(one: Alert, day: int, outcome: AlertOutcome) -> Alert:
    return acknowledged(one, "officer-7", RAISED.replace(day=day), outcome)


def test_quality_of_a_months_alerts() -> None:
    """Three closed, two of them right; the open ones count as raised, and wait for an officer."""
    alerts = [
        closed(alert(1), 7, AlertOutcome.CONFIRMED),
        closed(alert(2), 8, AlertOutcome.CONFIRMED),
        closed(alert(3), 12, AlertOutcome.FALSE_ALARM),
        acknowledged(alert(4), "officer-8", RAISED, AlertOutcome.UNSPECIFIED),
        alert(5, Indicator.GRACE_EXPIRED),
    ]
    found = alert_quality(alerts)

    assert [(row.indicator, row.raised, row.taken_over) for row in found] == [
        ("GRACE_AGAIN", 4, 4),
        ("GRACE_EXPIRED", 1, 0),
        ("all together", 5, 4),
    ]
    assert [row.precision for row in found] == [Fraction(2, 3), None, Fraction(2, 3)]
    assert [row.days_to_look_median for row in found] == [1.5, None, 1.5]
    assert by_officer(alerts) == {"-": 1, "officer-8": 1}
    assert by_officer([]) == {}
    assert per_officer(alerts) == {"officer-7": 3, "officer-8": 1}


def test_nobody_is_waited_for_before_an_alert_was_known() -> None:
    """Told 30 days late and looked at the day after is one day to look."""
    told_late = msgspec.structs.replace(alert(1), known_on=date(2026, 3, 8))
    taken = acknowledged(told_late, "officer-7", date(2026, 3, 9), AlertOutcome.UNSPECIFIED)

    assert alert_quality([taken])[0].days_to_look_median == 1


def test_no_alert_ends_before_it_was_taken_over() -> None:
    """Taken over on the tenth, it cannot have been closed on the ninth."""
    taken = acknowledged(alert(1), "officer-7", date(2026, 2, 10), AlertOutcome.UNSPECIFIED)
    with pytest.raises(AlertNotYetRaised) as refusal:
        acknowledged(taken, "officer-7", date(2026, 2, 9), AlertOutcome.CONFIRMED)

    assert refusal.value.expected == "2026-02-10 or later"


def test_alerts_are_held_against_what_came() -> None:
    """Right within 90 days of being known; too late, withdrawn or not yet over is not judged."""
    late_known = msgspec.structs.replace(alert(3), known_on=date(2026, 3, 20))
    withdrawn = msgspec.structs.replace(alert(5), outcome=AlertOutcome.WITHDRAWN)
    young = msgspec.structs.replace(alert(6), known_on=date(2026, 3, 3))
    alerts = [alert(1), alert(2), late_known, alert(4), withdrawn, young]
    over = {"B-1": date(2026, 3, 8), "B-3": date(2026, 3, 8), "B-4": date(2026, 5, 8)}
    found = alert_truth(alerts, {**over, "B-6": date(2026, 4, 1)}, date(2026, 6, 18))[-1]
    early = alert_truth(alerts, over, date(2026, 5, 6))

    assert (found.judged, found.too_late, found.right) == (4, 1, 2)
    assert (found.precision, found.recall) == (Fraction(2, 4), Fraction(2, 4))
    assert found.lead_days_median == 29.5
    assert {(row.judged, row.right, row.precision) for row in early} == {(0, 0, None)}


def test_recall_does_not_wait_for_precision() -> None:
    """Who fell behind a week after an alert was warned of, though its 90 days are not over."""
    over = {"B-1": date(2026, 2, 13), "B-2": date(2026, 2, 13)}
    found = alert_truth([alert(1), alert(9)], over, date(2026, 3, 1))[-1]

    assert (found.judged, found.precision) == (0, None)
    assert (found.recall, found.lead_days_median) == (Fraction(1, 2), 7)


LATE = [
    # buckets, in order heard         | more than 30 days late from
    ([("M1", 4), ("M2", 5), ("M3", 6)], 5),
    ([("M0", 3)], None),
    ([("M4", 7)], 7),
    ([("M4", 7), ("M2", 8)], 7),
]


@pytest.mark.parametrize(("buckets", "day"), LATE)
async def test_a_loan_may_be_late_at_once(
    tmp_path: Path, buckets: list[tuple[str, int]], day: int | None
) -> None:
    """Money taken back months later takes a loan past a bucket that it was never told to be in."""
    records = Records(open_database(f"sqlite+aiosqlite:///{tmp_path}/risk.db"))
    await records.create(1)
    book = Exposures(records)
    await book.create(1)
    watch = Watch(records, RULES, book, wire.alert_told)
    for number, (bucket, on) in enumerate(buckets, start=1):
        event = Heard(
            loan_id="L-1",
            borrower_ref="B-1",
            sequence=number,
            type="BUCKET_CHANGED",
            bucket_to=bucket,
            effective_on=date(2026, 3, on),
        )
        async with book.work() as work:
            await watch.hear(event, work)
    async with records.work() as work:
        found = await work.get(OverThirty, "L-1")
    await records.engine.dispose()

    assert (found and found.on.day) == day
