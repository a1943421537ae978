"""Early warning's thresholds: raised at one, cleared at another; and what is heard too late."""

from __future__ import annotations

from datetime import date

import msgspec

from services.risk.domain.early_warning import AlertOutcome, changed
from services.risk.domain.early_warning import alerts_of as alerts_now
from services.risk.domain.indicators import Heard
from services.risk.domain.signs import Behaviour, observe
from tests.services.risk.test_early_warning import EXPIRED, GRACE, RULES


def report(number: int, on: str, enquiries: int, overdue_minor: int = 0) -> Heard:
    return Heard(
        loan_id="L-1",
        borrower_ref="B-1",
        sequence=0,
        type="BUREAU_REPORT",
        effective_on=date.fromisoformat(on),
        count=enquiries,
        amount_minor=overdue_minor,
        name=f"report/pboc/{number}",
    )


def raised(*events: Heard) -> list[list[str]]:
    borrower, said = Behaviour(borrower_ref="B-1"), []
    for one in events:
        before, borrower = borrower, observe(borrower, one, RULES)
        told = changed(before, borrower, RULES).values()
        said.append([f"{alert.indicator} {alert.outcome}" for alert in told if alert])
    return said


def test_enquiries_raise_at_five_and_clear_at_two() -> None:
    """Between the two thresholds nothing changes: not raised from below, not cleared from above."""
    found = raised(
        report(1, "2026-01-05", 4),
        report(2, "2026-01-10", 5),
        report(3, "2026-01-20", 3),
        report(4, "2026-01-30", 9),
        report(5, "2026-02-05", 2),
        report(6, "2026-02-10", 6),
        report(7, "2026-02-15", 1, overdue_minor=1),
    )

    assert found == [
        [],
        ["ENQUIRIES_MANY UNSPECIFIED"],
        [],
        [],
        [],
        ["ENQUIRIES_MANY UNSPECIFIED"],
        ["OVERDUE_ELSEWHERE UNSPECIFIED"],
    ]


def test_what_is_heard_too_late_warns_nobody() -> None:
    """Told after more than 30 days, or read from a stream so far behind: closed at once, STALE."""
    grace = Heard(
        loan_id="L-1",
        borrower_ref="B-1",
        sequence=1,
        type=EXPIRED,
        effective_on=date(2026, 2, 9),
        known_on=date(2026, 3, 12),
    )
    behind = msgspec.structs.replace(grace, known_on=None, days_behind=31)
    in_time = msgspec.structs.replace(grace, sequence=2, known_on=date(2026, 3, 10), days_behind=1)

    for late in (grace, behind):
        assert raised(late, in_time) == [["GRACE_EXPIRED STALE"], ["GRACE_EXPIRED UNSPECIFIED"]]
    (alert,) = alerts_now(observe(Behaviour(borrower_ref="B-1"), grace, RULES), RULES).values()
    assert (alert.raised_on, alert.known_on) == (date(2026, 2, 9), date(2026, 3, 12))
    assert alert.closed_on == date(2026, 3, 12)


def test_a_warning_that_was_in_time_stays_so() -> None:
    """More of the same, heard long after, is evidence of a warning and does not make it stale."""
    late = Heard(
        loan_id="L-1",
        borrower_ref="B-1",
        sequence=1,
        type=GRACE,
        effective_on=date(2026, 2, 6),
    )
    again = msgspec.structs.replace(late, sequence=2, effective_on=date(2026, 3, 6))
    other = msgspec.structs.replace(
        late, loan_id="L-2", effective_on=date(2026, 1, 20), known_on=date(2026, 7, 1)
    )
    borrower = Behaviour(borrower_ref="B-1")
    for one in (late, again, other):
        borrower = observe(borrower, one, RULES)
    first, second = sorted(alerts_now(borrower, RULES).values(), key=lambda one: one.raised_on)

    assert (first.alert_id, first.outcome) == ("2026-02-06.L-1.GRACE_AGAIN", AlertOutcome.STALE)
    assert (second.outcome, second.known_on) == (AlertOutcome.UNSPECIFIED, date(2026, 3, 6))
    assert second.evidence == ("L-2/1", "L-1/1", "L-1/2")
