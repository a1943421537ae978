"""What early warnings were worth, by what officers found, and how long nobody looked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from statistics import median

import msgspec

from services.risk.domain.early_warning import Alert, AlertOutcome

HORIZON = timedelta(days=90)
"""Within so long of an alert what it warned of comes, or it was wrong."""


class AlertQuality(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts of one indicator; precision is None until one of them is closed."""

    indicator: str
    raised: int
    taken_over: int
    confirmed: int
    false_alarms: int
    precision: Fraction | None
    days_to_look_median: float | None


def alert_quality(alerts: Sequence[Alert]) -> list[AlertQuality]:
    """Return a row per indicator, in order of name, and one for all together."""
    names = sorted({str(alert.indicator) for alert in alerts})
    rows = [_quality(name, [a for a in alerts if a.indicator == name]) for name in names]
    return [*rows, _quality("all together", alerts)]


def _quality(name: str, alerts: Sequence[Alert]) -> AlertQuality:
    ends = Counter(alert.outcome for alert in alerts)
    confirmed, wrong = ends[AlertOutcome.CONFIRMED], ends[AlertOutcome.FALSE_ALARM]
    waits = [
        max(0, (alert.acknowledged_on - alert.learned_on).days)
        for alert in alerts
        if alert.acknowledged_on is not None
    ]
    closed = confirmed + wrong
    return AlertQuality(
        indicator=name,
        raised=len(alerts),
        taken_over=len(waits),
        confirmed=confirmed,
        false_alarms=wrong,
        precision=Fraction(confirmed, closed) if closed else None,
        days_to_look_median=median(waits) if waits else None,
    )


def by_officer(alerts: Iterable[Alert]) -> dict[str, int]:
    """Return how many open alerts each officer has; those of nobody are under "-"."""
    return dict(sorted(Counter(a.owner or "-" for a in alerts if a.closed_on is None).items()))


class AlertTruth(msgspec.Struct, frozen=True, kw_only=True):
    """
    Alerts of one indicator against what came; precision and recall are None without any to judge.

    `too_late` came when the borrower already was more than 30 days late: no warnings.
    """

    indicator: str
    judged: int
    too_late: int
    right: int
    precision: Fraction | None
    recall: Fraction | None
    lead_days_median: float | None


def alert_truth(
    alerts: Sequence[Alert], over_thirty: Mapping[str, date], as_of: date
) -> list[AlertTruth]:
    """
    Return a row per indicator, in order of name, and one for all together.

    An alert is right if its borrower was more than 30 days late within `HORIZON` of when it
    was known. It is judged once all of those days are over, whichever way it went; who fell so far
    behind was warned of or was not, however young the alert: recall does not wait. What was
    withdrawn or STALE told nobody, and is left out, as are alerts of groups.

    Args:
        alerts: Every alert.
        over_thirty: Per borrower the first day of being more than 30 days late.
        as_of: What is known up to this date counts.
    """
    named = [a for a in alerts if a.borrower_ref]
    told = [a for a in named if a.outcome not in (AlertOutcome.WITHDRAWN, AlertOutcome.STALE)]
    bads = {name: on for name, on in over_thirty.items() if on <= as_of}
    names = sorted({str(alert.indicator) for alert in told})
    rows = [_truth(name, [a for a in told if a.indicator == name], bads, as_of) for name in names]
    return [*rows, _truth("all together", told, bads, as_of)]


def _truth(name: str, alerts: Sequence[Alert], bads: Mapping[str, date], as_of: date) -> AlertTruth:
    leads: dict[str, int] = {}
    judged = late = right = 0
    for alert in sorted(alerts, key=lambda one: one.learned_on):
        bad_on = bads.get(alert.borrower_ref)
        days = (bad_on - alert.learned_on).days if bad_on is not None else None
        came = days is not None and 0 < days <= HORIZON.days
        if days is not None and came:
            leads.setdefault(alert.borrower_ref, days)
        if alert.learned_on + HORIZON > as_of:
            continue
        already = days is not None and days <= 0
        late, judged, right = late + already, judged + (not already), right + came
    return AlertTruth(
        indicator=name,
        judged=judged,
        too_late=late,
        right=right,
        precision=Fraction(right, judged) if judged else None,
        recall=Fraction(len(leads), len(bads)) if bads else None,
        lead_days_median=median(leads.values()) if leads else None,
    )


def per_officer(alerts: Iterable[Alert]) -> dict[str, int]:
    """Return how many alerts each officer took over, open or closed, in order of name."""
    return dict(sorted(Counter(a.owner for a in alerts if a.owner).items()))
