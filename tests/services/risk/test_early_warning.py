"""Early warning as tables: what one borrower's signs raise, and what stays quiet."""

from __future__ import annotations

import tomllib
from datetime import date

import msgspec
import pytest

from services.risk.config import RiskSettings
from services.risk.domain.early_warning import (
    Alert,
    AlertNotYetRaised,
    AlertOutcome,
    acknowledged,
    changed,
    settled,
)
from services.risk.domain.early_warning import alerts_of as alerts_now
from services.risk.domain.indicators import APPLIED, Heard, WarningRules
from services.risk.domain.signs import Behaviour, observe, restated

RULES = msgspec.convert(tomllib.loads(RiskSettings().warning_file.read_text("utf-8")), WarningRules)


def alerts_of(events: list[tuple[str, str, str, int]]) -> tuple[list[list[str]], list[Alert]]:
    """Return the indicators that each event raises, or takes back with a "-", and all alerts."""
    borrower, said, alerts = Behaviour(borrower_ref="B-1"), [], []
    for number, (on, loan_id, type_, amount) in enumerate(events, start=1):
        heard = Heard(
            loan_id=loan_id,
            borrower_ref="B-1",
            sequence=number,
            type=type_,
            effective_on=date.fromisoformat(on),
            amount_minor=amount,
        )
        before, borrower = borrower, observe(borrower, heard, RULES)
        told = changed(before, borrower, RULES)
        said.append(
            [str(one.indicator) if one else f"-{name.split('.')[-1]}" for name, one in told.items()]
        )
        alerts += [one for one in told.values() if one]
    return said, alerts


GRACE, EXPIRED = "GRACE_ENTERED", "GRACE_EXPIRED"
PART, PAID, BACK = "PARTIALLY_CURED", "REPAYMENT_POSTED", "REPAYMENT_REVERSED"
TABLE = [
    # what it shows, events (date, loan, type, amount), raised by each event
    ("once is nothing", [("2026-02-06", "L-1", GRACE, 0)], [[]]),
    (
        "twice in 90 days, on two loans, is one alert; while it goes on there is no other",
        [
            ("2026-02-06", "L-1", GRACE, 0),
            ("2026-03-06", "L-2", GRACE, 0),
            ("2026-04-04", "L-1", GRACE, 0),
            ("2026-06-02", "L-2", GRACE, 0),
        ],
        [[], ["GRACE_AGAIN"], [], []],
    ),
    (
        "after sixty days without its sign an indicator is clear, and warns again",
        [
            ("2026-02-09", "L-1", EXPIRED, 0),
            ("2026-04-09", "L-1", EXPIRED, 0),
            ("2026-06-08", "L-1", EXPIRED, 0),
        ],
        [["GRACE_EXPIRED"], [], ["GRACE_EXPIRED"]],
    ),
    (
        "falling is over with a repayment that is not smaller by a twentieth, not with one that is",
        [
            ("2026-01-02", "L-1", GRACE, 0),
            ("2026-01-05", "L-1", PAID, 10_000),
            ("2026-01-15", "L-1", PAID, 8_000),
            ("2026-01-25", "L-1", PAID, 6_000),
            ("2026-02-25", "L-1", PAID, 5_400),
            ("2026-03-01", "L-1", PAID, 4_000),
            ("2026-03-05", "L-1", PAID, 3_000),
            ("2026-03-15", "L-1", PAID, 3_000),
            ("2026-03-20", "L-1", PAID, 2_000),
            ("2026-03-25", "L-1", PAID, 1_000),
        ],
        [[], [], [], ["REPAYMENTS_FALLING"], [], [], [], [], [], ["REPAYMENTS_FALLING"]],
    ),
    (
        "a repayment of another loan does not end what falls",
        [
            ("2026-01-02", "L-1", GRACE, 0),
            ("2026-01-02", "L-2", GRACE, 0),
            ("2026-01-05", "L-1", PAID, 10_000),
            ("2026-01-15", "L-1", PAID, 8_000),
            ("2026-01-25", "L-1", PAID, 6_000),
            ("2026-02-01", "L-2", PAID, 9_000),
            ("2026-02-02", "L-2", PAID, 9_000),
            ("2026-02-25", "L-1", PAID, 4_000),
        ],
        [[], ["GRACE_AGAIN"], [], [], ["REPAYMENTS_FALLING"], [], [], []],
    ),
    (
        "what a loan that was never late repays is no sign",
        [
            ("2026-01-02", "L-2", GRACE, 0),
            ("2026-01-05", "L-1", PAID, 10_000),
            ("2026-01-15", "L-1", PAID, 8_000),
            ("2026-01-25", "L-1", PAID, 6_000),
        ],
        [[], [], [], []],
    ),
    (
        "89 days apart is inside the window",
        [("2026-01-01", "L-1", GRACE, 0), ("2026-03-31", "L-1", GRACE, 0)],
        [[], ["GRACE_AGAIN"]],
    ),
    (
        "90 days apart is outside it",
        [("2026-01-01", "L-1", GRACE, 0), ("2026-04-01", "L-1", GRACE, 0)],
        [[], []],
    ),
    (
        "beyond grace alerts at once; the indicators cool down one by one",
        [
            ("2026-02-06", "L-1", GRACE, 0),
            ("2026-02-09", "L-1", EXPIRED, 0),
            ("2026-03-06", "L-1", GRACE, 0),
            ("2026-03-09", "L-1", EXPIRED, 0),
        ],
        [[], ["GRACE_EXPIRED"], ["GRACE_AGAIN"], []],
    ),
    (
        "part payments again",
        [("2026-02-10", "L-1", PART, 0), ("2026-03-10", "L-1", PART, 0)],
        [[], ["PART_PAYMENT_AGAIN"]],
    ),
    (
        "two falls of at least a fifth",
        [
            ("2026-01-02", "L-1", GRACE, 0),
            ("2026-01-05", "L-1", PAID, 10_000),
            ("2026-02-05", "L-1", PAID, 8_000),
            ("2026-03-05", "L-1", PAID, 6_400),
        ],
        [[], [], [], ["REPAYMENTS_FALLING"]],
    ),
    (
        "equal principal falls a little each month, as agreed",
        [
            ("2026-01-02", "L-1", GRACE, 0),
            ("2026-01-05", "L-1", PAID, 10_000),
            ("2026-02-05", "L-1", PAID, 9_900),
            ("2026-03-05", "L-1", PAID, 9_800),
        ],
        [[], [], [], []],
    ),
    (
        "repayments of two loans are not one series",
        [
            ("2026-01-02", "L-1", GRACE, 0),
            ("2025-06-02", "L-2", GRACE, 0),
            ("2026-01-05", "L-1", PAID, 10_000),
            ("2026-02-05", "L-2", PAID, 5_000),
            ("2026-03-05", "L-1", PAID, 4_000),
        ],
        [[], [], [], [], []],
    ),
    (
        "a repayment that was reversed does not count, and takes back what it was seen in",
        [
            ("2026-01-02", "L-1", GRACE, 0),
            ("2026-01-05", "L-1", PAID, 10_000),
            ("2026-02-05", "L-1", PAID, 8_000),
            ("2026-02-05", "L-1", BACK, 8_000),
            ("2026-03-05", "L-1", PAID, 6_400),
            ("2026-03-15", "L-1", PAID, 5_000),
            ("2026-03-16", "L-1", BACK, 5_000),
        ],
        [[], [], [], [], [], ["REPAYMENTS_FALLING"], ["-REPAYMENTS_FALLING"]],
    ),
    (
        "the third application within 90 days, whichever loan it is seen beside",
        [
            ("2026-01-05", "L-1", APPLIED, 0),
            ("2026-02-05", "L-1", APPLIED, 0),
            ("2026-04-05", "L-2", APPLIED, 0),
            ("2026-04-20", "L-1", APPLIED, 0),
            ("2026-05-01", "L-1", APPLIED, 0),
        ],
        [[], [], [], ["APPLIES_AGAIN"], []],
    ),
    (
        "a sign that is told later, and counts earlier, makes the later one the second",
        [("2026-03-06", "L-1", GRACE, 0), ("2026-02-06", "L-1", GRACE, 0)],
        [[], ["GRACE_AGAIN"]],
    ),
    (
        "what goes on since an earlier date is one warning, of that date",
        [("2026-03-09", "L-1", EXPIRED, 0), ("2026-02-09", "L-2", EXPIRED, 0)],
        [["GRACE_EXPIRED"], ["GRACE_EXPIRED", "-GRACE_EXPIRED"]],
    ),
]


@pytest.mark.parametrize(("what", "events", "raised"), TABLE, ids=[row[0] for row in TABLE])
def test_signs_raise_alerts(
    what: str, events: list[tuple[str, str, str, int]], raised: list[list[str]]
) -> None:
    """An alert is raised by the event that completes an indicator, once per cool-down."""
    said, _ = alerts_of(events)

    assert said == raised


def test_an_alert_heard_late_overwrites_none() -> None:
    """A backdated event near an older alert of its kind raises none beside it."""
    said, alerts = alerts_of(
        [
            ("2026-02-09", "L-1", EXPIRED, 0),
            ("2026-05-09", "L-1", EXPIRED, 0),
            ("2026-02-09", "L-1", EXPIRED, 0),
        ]
    )

    assert said == [["GRACE_EXPIRED"], ["GRACE_EXPIRED"], []]
    assert len({alert.alert_id for alert in alerts}) == 2


def test_a_sign_that_did_not_happen_is_forgotten() -> None:
    """What a restatement takes back no longer counts; its alert is withdrawn unless taken over."""
    grace = Heard(
        loan_id="L-1",
        borrower_ref="B-1",
        sequence=4,
        type=GRACE,
        effective_on=date(2026, 2, 6),
        log_version=7,
    )
    again = msgspec.structs.replace(grace, sequence=5, effective_on=date(2026, 3, 6), log_version=9)
    once = observe(Behaviour(borrower_ref="B-1"), grace, RULES)
    twice = observe(once, again, RULES)
    after = restated(twice, "L-1", frozenset({7}))
    ((name, alert),) = alerts_now(twice, RULES).items()
    taken = acknowledged(alert, "officer-7", date(2026, 3, 7), AlertOutcome.UNSPECIFIED)
    withdrawn = settled(alert, None, date(2026, 2, 6))

    assert [sign.event_id for sign in after.signs] == ["L-1/5"]
    assert changed(twice, after, RULES) == {name: None}
    assert restated(twice, "L-2", frozenset({7})) == twice
    assert observe(after, grace, RULES) == after
    assert withdrawn is not None and withdrawn.outcome is AlertOutcome.WITHDRAWN
    assert withdrawn.closed_on == date(2026, 3, 6)
    assert settled(taken, None, date(2026, 2, 6)) == taken
    assert settled(withdrawn, None, date(2026, 4, 6)) == withdrawn
    assert settled(withdrawn, alert, date(2026, 4, 6)) == alert
    with pytest.raises(AlertNotYetRaised):
        acknowledged(alert, "officer-7", date(2026, 3, 5), AlertOutcome.UNSPECIFIED)


def test_an_alert_names_its_evidence() -> None:
    """An officer can look up each event that an alert rests on, and the rules it ran under."""
    _, alerts = alerts_of([("2026-02-06", "L-1", GRACE, 0), ("2026-03-06", "L-2", GRACE, 0)])

    assert [alert.evidence for alert in alerts] == [("L-1/1", "L-2/2")]
    assert alerts[0].alert_id == "2026-03-06.L-2.GRACE_AGAIN"
    assert alerts[0].policy_version == "early-warning/2026-12"
    assert (alerts[0].text_en, alerts[0].text_zh) == (
        "Late again within a short time",
        "短期内再次逾期",
    )
