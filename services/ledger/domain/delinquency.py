"""How late a loan is: grace suppresses consequences, it never moves the due date."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
from itertools import pairwise

import msgspec

from services.ledger.domain.timeline import Row, Timeline

SCHEMES: dict[str, tuple[tuple[int, str], ...]] = {
    "m": (
        (0, "M0"),
        (1, "M1"),
        (31, "M2"),
        (61, "M3"),
        (91, "M4"),
        (121, "M5"),
        (151, "M6"),
        (181, "M7"),
    ),
    "five_tier": (
        (0, "NORMAL"),
        (1, "SPECIAL_MENTION"),
        (91, "SUBSTANDARD"),
        (271, "DOUBTFUL"),
        (361, "LOSS"),
    ),
}
"""Policy cn-consumer/1: first day past due of each bucket. Five tiers: Order 2023-1, art. 10."""

_EDGES = sorted({edge for rows in SCHEMES.values() for edge, _ in rows if edge > 0})


class TransitionType(StrEnum):
    """What changed about how late a loan is."""

    INSTALMENT_DUE = "INSTALMENT_DUE"
    DELINQUENCY_STARTED = "DELINQUENCY_STARTED"
    GRACE_ENTERED = "GRACE_ENTERED"
    GRACE_EXPIRED = "GRACE_EXPIRED"
    INSTALMENT_MISSED = "INSTALMENT_MISSED"
    BUCKET_CHANGED = "BUCKET_CHANGED"
    PARTIALLY_CURED = "PARTIALLY_CURED"
    CURED = "CURED"


class Transition(msgspec.Struct, frozen=True):
    """One change; scheme and buckets only for BUCKET_CHANGED."""

    type: TransitionType
    scheme: str = ""
    bucket_from: str = ""
    bucket_to: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How late a loan is on one date; amounts in minor units, days elapsed since the due date."""

    days_past_due: int = 0
    oldest_due_on: date | None = None
    principal_overdue_minor: int = 0
    interest_overdue_minor: int = 0
    instalments_overdue: int = 0
    minor: bool = False
    major: bool = False
    partial: bool = False
    full: bool = False
    continuous: bool = False
    buckets: dict[str, str] = msgspec.field(
        default_factory=lambda: {scheme: rows[0][1] for scheme, rows in SCHEMES.items()}
    )

    @property
    def arrears_minor(self) -> int:
        """Principal and interest overdue, minor units."""
        return self.principal_overdue_minor + self.interest_overdue_minor


def bucket_of(scheme: str, days_past_due: int) -> str:
    """Return the bucket of a scheme whose first day was reached last."""
    return [name for edge, name in SCHEMES[scheme] if days_past_due >= edge][-1]


def standing_of(line: Timeline) -> Standing:
    """Say how late a loan is on the timeline's date."""
    overdue = line.overdue
    if not overdue:
        return Standing()
    days = (line.on - overdue[0].due_on).days
    numbers = [row.number for row in overdue]
    within_grace = days <= line.terms.grace_days
    paid = [row.principal_paid + row.interest_paid for row in overdue]
    return Standing(
        days_past_due=days,
        oldest_due_on=overdue[0].due_on,
        principal_overdue_minor=sum(row.principal_unpaid for row in overdue),
        interest_overdue_minor=sum(row.interest_due - row.interest_paid for row in overdue),
        instalments_overdue=len(overdue),
        minor=within_grace,
        major=not within_grace,
        partial=any(paid),
        full=not all(paid),
        continuous=any(b - a == 1 for a, b in pairwise(numbers)),
        buckets={scheme: bucket_of(scheme, days) for scheme in SCHEMES},
    )


def transitions_between(before: Standing, after: Standing) -> tuple[Transition, ...]:
    """Name every change from one standing to the next, in the order in which people tell it."""
    found: list[Transition] = []
    if after.days_past_due > 0 and before.days_past_due == 0:
        found.append(Transition(TransitionType.DELINQUENCY_STARTED))
    if after.minor and not before.minor:
        found.append(Transition(TransitionType.GRACE_ENTERED))
    if after.major and not before.major:
        found.append(Transition(TransitionType.GRACE_EXPIRED))
    if after.instalments_overdue > before.instalments_overdue > 0:
        found.append(Transition(TransitionType.INSTALMENT_MISSED))
    for scheme in SCHEMES:
        old, new = before.buckets[scheme], after.buckets[scheme]
        if old != new:
            found.append(Transition(TransitionType.BUCKET_CHANGED, scheme, old, new))
    if before.days_past_due > 0 and after.days_past_due == 0:
        found.append(Transition(TransitionType.CURED))
    elif 0 < after.arrears_minor < before.arrears_minor:
        found.append(Transition(TransitionType.PARTIALLY_CURED))
    return tuple(found)


def instalments_due(line: Timeline) -> tuple[Transition, ...]:
    """Say whether an unpaid instalment falls due on the timeline's date."""
    due = any(row.due_on == line.on and row.unpaid > 0 for row in line.rows)
    return (Transition(TransitionType.INSTALMENT_DUE),) if due else ()


def next_transition_on(line: Timeline) -> date | None:
    """
    Return the next date on which the standing changes if no money moves.

    Args:
        line: The loan on a date whose transitions are recorded.
    Returns:
        The earliest later date of: an unpaid instalment falling due or becoming overdue, grace
        ending, a bucket edge of any scheme; None when nothing is left to come.
    """
    unpaid = [row for row in line.rows if row.unpaid > 0]
    candidates = [day for row in unpaid for day in _own_days(row) if day > line.on]
    if unpaid:
        oldest = unpaid[0].due_on
        edges = (*_EDGES, line.terms.grace_days + 1)
        candidates += [d for e in edges if (d := oldest + timedelta(days=e)) > line.on]
    return min(candidates, default=None)


def _own_days(row: Row) -> tuple[date, date]:
    """Return the date on which a row falls due and the one on which it is overdue."""
    return row.due_on, row.due_on + timedelta(days=1)
