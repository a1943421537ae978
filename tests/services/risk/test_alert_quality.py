"""What alerts were worth, counted from what officers recorded."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from services.risk.domain.alert_quality import alert_quality, by_officer
from services.risk.domain.early_warning import Alert, AlertOutcome, acknowledged
from services.risk.domain.indicators import Indicator

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
