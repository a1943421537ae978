"""What early warnings were worth, by what officers found, and how long nobody looked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from statistics import median

import msgspec

from services.risk.domain.early_warning import Alert, AlertOutcome


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
        (alert.acknowledged_on - alert.raised_on).days
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
