"""What a subscriber says of itself: counts by outcome, how far it is behind, what it logs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog
from prometheus_client import Counter, Gauge

from shared.runtime.reading import Message
from shared.subscriber.digests import DayHeard
from shared.subscriber.event import sunsets_in
from shared.subscriber.lag import Lag
from shared.subscriber.lanes import HandlerFailed
from shared.subscriber.parking import Applied

EVENTS = Counter("duebook_subscriber_events_total", "Events by outcome.", ["subscriber", "outcome"])
LAG = Gauge("duebook_subscriber_lag_events", "Events not yet read.", ["subscriber"])
LAG_DAYS = Gauge(
    "duebook_subscriber_lag_business_days",
    "Business days between what was read last and the newest event.",
    ["subscriber"],
)
_SAID: set[tuple[str, str, str, str]] = set()
PARKED_LOANS = Gauge("duebook_subscriber_parked_loans", "Loans that wait.", ["subscriber"])


def report(name: str, applied: Applied) -> None:
    """Count what became of a batch, and log every fault."""
    for outcome, count in applied.outcomes.items():
        EVENTS.labels(name, outcome).inc(count)
    for fault, event_id in applied.faults:
        log = structlog.get_logger()
        log.error("event not told", subscriber=name, fault=str(fault), event_id=event_id)


def report_lag(name: str, lag: Lag) -> None:
    """Show how far behind a subscriber is; days that the calendar does not know are no number."""
    LAG.labels(name).set(lag.events)
    days = float("nan") if lag.business_days is None else lag.business_days
    LAG_DAYS.labels(name).set(days)


def report_sunsets(name: str, messages: Iterable[Message]) -> None:
    """Say once in a process which types, or fields that are set, will not be told for ever."""
    for headers in (one.headers for one in messages if "ce-sunset" in one.headers):
        type_ = headers.get("ce-type", "").rpartition(".")[2]
        for part, on in sunsets_in(headers).items():
            if (kind := (name, type_, part, on)) in _SAID:
                continue
            _SAID.add(kind)
            log, instead = structlog.get_logger(), headers.get("ce-successor", "")
            log.warning(
                "told until", subscriber=name, type=type_, field=part, until=on, successor=instead
            )


def report_days(name: str, days: Sequence[DayHeard]) -> None:
    """Count days that were heard from beginning to end, and log of which something is missing."""
    for day in days:
        EVENTS.labels(name, "DAY_INCOMPLETE" if day.missing else "DAY_COMPLETE").inc()
        if day.missing:
            structlog.get_logger().error("events of a day missing", subscriber=name, day=str(day))


def report_no_days(name: str) -> None:
    """Begin to count days at 0: an alert sees only what grows."""
    for outcome in ("DAY_COMPLETE", "DAY_INCOMPLETE"):
        EVENTS.labels(name, outcome).inc(0)


def report_waiting(name: str, failure: Exception) -> None:
    """Say that work failed and is tried again."""
    EVENTS.labels(name, "retried").inc()
    cause = failure.cause if isinstance(failure, HandlerFailed) else failure
    log = structlog.get_logger()
    log.warning("work failed", subscriber=name, failure=str(failure), exc_info=cause)
