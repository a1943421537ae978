"""How late a loan is: grace suppresses consequences, it never moves the due date."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import date, timedelta
from enum import StrEnum
from itertools import chain, pairwise
from typing import NamedTuple

import msgspec

from services.ledger.domain.cure import date_counted, days_counted, days_paused, releases, stayed
from services.ledger.domain.policies import CN_CONSUMER, DelinquencyPolicy
from services.ledger.domain.timeline import Row, Timeline


class TransitionType(StrEnum):
    """What changed about how late a loan is."""

    INSTALMENT_DUE_SOON = "INSTALMENT_DUE_SOON"
    INSTALMENT_DUE = "INSTALMENT_DUE"
    DELINQUENCY_STARTED = "DELINQUENCY_STARTED"
    GRACE_ENTERED = "GRACE_ENTERED"
    GRACE_EXPIRED = "GRACE_EXPIRED"
    INSTALMENT_MISSED = "INSTALMENT_MISSED"
    BUCKET_CHANGED = "BUCKET_CHANGED"
    ROLLED_BACK = "ROLLED_BACK"
    PARTIALLY_CURED = "PARTIALLY_CURED"
    CURED = "CURED"


class Transition(msgspec.Struct, frozen=True, gc=False):
    """One change; scheme and buckets only for BUCKET_CHANGED."""

    type: TransitionType
    scheme: str = ""
    bucket_from: str = ""
    bucket_to: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    How late a loan is on one date; amounts in minor units, days elapsed since the due date.

    `days_paused` of the days past due fall into pauses and do not classify.
    """

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
    buckets: dict[str, str] = msgspec.field(default_factory=lambda: buckets_of(CN_CONSUMER, None))
    charges_overdue_minor: int = 0
    days_paused: int = 0

    @property
    def arrears_minor(self) -> int:
        """Principal, interest and dated charges overdue, minor units."""
        overdue = self.principal_overdue_minor + self.interest_overdue_minor
        return overdue + self.charges_overdue_minor


def buckets_of(policy: DelinquencyPolicy, days: int | None) -> dict[str, str]:
    """Return the bucket of every scheme; `days` that count, None when nothing is overdue."""
    if days is None:
        return {scheme.name: scheme.edges[0][1] for scheme in policy.schemes}
    return {scheme.name: scheme.bucket(days) for scheme in policy.schemes}


def standing_of(line: Timeline) -> Standing:
    """Say how late a loan is on the timeline's date."""
    policy, overdue = line.terms.delinquency, line.overdue
    if not overdue:
        return Standing(buckets=stayed(line, buckets_of(policy, None)))
    days = line.days_past_due
    principal = interest = charges = begun = 0
    for row in overdue:
        principal += row.principal_due - row.principal_paid
        interest += row.interest_due - row.interest_paid
        paid = row.principal_paid + row.interest_paid
        if row.charges:
            charges += row.charges_unpaid
            paid += sum(charge.paid for charge in row.charges)
        begun += paid > 0
    within_grace = days <= line.terms.grace_days
    arrears, rate = principal + interest + charges, policy.materiality_rate
    counted = days_counted(line, overdue[0].due_on)
    immaterial = arrears <= policy.materiality_minor or (
        bool(rate) and arrears <= rate * line.principal_outstanding
    )
    return Standing(
        days_past_due=days,
        oldest_due_on=overdue[0].due_on,
        principal_overdue_minor=principal,
        interest_overdue_minor=interest,
        charges_overdue_minor=charges,
        instalments_overdue=len(overdue),
        minor=within_grace,
        major=not within_grace,
        partial=begun > 0,
        full=begun < len(overdue),
        continuous=any(b.number - a.number == 1 for a, b in pairwise(overdue)),
        buckets=stayed(line, buckets_of(policy, None if immaterial else counted)),
        days_paused=days_paused(line.pauses, overdue[0].due_on, line.on) if line.pauses else 0,
    )


class DueRow(NamedTuple):
    """What fell due on one date, what was paid of it, and what is carried on; minor units."""

    due_on: date
    due_minor: int
    paid_minor: int
    carried_minor: int
    days_past_due: int


def past_due_table(line: Timeline) -> list[DueRow]:
    """Return one row per due date up to the timeline's date, oldest first."""
    table, carried = [], 0
    for row in line.rows:
        if row.due_on > line.on:
            break
        due = row.principal_due + row.interest_due + sum(c.due for c in row.charges)
        carried += row.unpaid
        days = (line.on - row.due_on).days if row.unpaid > 0 else 0
        table.append(DueRow(row.due_on, due, due - row.unpaid, carried, days))
    return table


def transitions_between(
    before: Standing, after: Standing, policy: DelinquencyPolicy
) -> tuple[Transition, ...]:
    """
    Name every change from one standing to the next, in the order in which people tell it.

    A scheme of the policy that was not in the standing before counts as having been at its best.
    """
    found: list[Transition] = []
    rolled_back = False
    if after.days_past_due > 0 and before.days_past_due == 0:
        found.append(Transition(TransitionType.DELINQUENCY_STARTED))
    if after.minor and not before.minor:
        found.append(Transition(TransitionType.GRACE_ENTERED))
    if after.major and not before.major:
        found.append(Transition(TransitionType.GRACE_EXPIRED))
    if after.instalments_overdue > before.instalments_overdue > 0:
        found.append(Transition(TransitionType.INSTALMENT_MISSED))
    for scheme, new in after.buckets.items():
        old = before.buckets.get(scheme) or policy.best(scheme)
        if old != new:
            found.append(Transition(TransitionType.BUCKET_CHANGED, scheme, old, new))
            rolled_back |= after.days_past_due > 0 and policy.better(scheme, old, new)
    if rolled_back:
        found.append(Transition(TransitionType.ROLLED_BACK))
    if before.days_past_due > 0 and after.days_past_due == 0:
        found.append(Transition(TransitionType.CURED))
    elif 0 < after.arrears_minor < before.arrears_minor:
        found.append(Transition(TransitionType.PARTIALLY_CURED))
    return tuple(found)


def instalments_due(line: Timeline) -> tuple[Transition, ...]:
    """Say whether an unpaid instalment falls due on the timeline's date, or soon."""
    found, soon_on = [], _soon_on(line)
    for row in line.rows:
        if row.due_on < line.on:
            continue
        if row.due_on > soon_on:
            break
        if row.unpaid > 0 and row.due_on == soon_on > line.on:
            found.append(Transition(TransitionType.INSTALMENT_DUE_SOON))
            break
        if row.unpaid > 0 and row.due_on == line.on and not found:
            found.append(Transition(TransitionType.INSTALMENT_DUE))
    return tuple(found)


def _soon_on(line: Timeline) -> date:
    """Return the due date that is soon on the timeline's date; that date itself if none is."""
    ahead = line.terms.delinquency.due_soon_days
    return line.on + timedelta(days=ahead) if ahead else line.on


def next_transition_on(line: Timeline) -> date | None:
    """
    Return the next date on which the standing changes if no money moves.

    Args:
        line: The loan on a date whose transitions are recorded.
    Returns:
        The earliest later date of: an unpaid instalment falling due soon, falling due or becoming
        overdue, grace ending, a bucket edge of any scheme; None when nothing is left to come.
    """
    unpaid = (row for row in line.rows if row.unpaid > 0)
    first = next(unpaid, None)
    candidates: list[date] = []
    if first is not None:
        candidates += _coming_due(line, chain((first,), unpaid))
        oldest = first.due_on
        edges, late = line.terms.delinquency.edges, (line.on - oldest).days
        place = bisect_right(edges, late)
        coming = (*edges[place : place + 1], line.terms.grace_days + 1)
        candidates += [oldest + timedelta(days=edge) for edge in coming if edge > late]
        candidates += _shifted(line, oldest)
    if line.terms.delinquency.cures:
        candidates += releases(line)
    return min(candidates, default=None)


def _shifted(line: Timeline, oldest: date) -> list[date]:
    """Return the dates on which pauses let the counted days cross an edge."""
    if not line.pauses:
        return []
    found = [end for _, end in line.pauses]
    for edge in line.terms.delinquency.edges:
        found += [oldest + timedelta(days=edge), date_counted(line.pauses, oldest, edge)]
    return [day for day in found if day > line.on]


def _coming_due(line: Timeline, unpaid: Iterable[Row]) -> list[date]:
    """Return the next dates on which a row is due soon, falls due, or is overdue the day after."""
    found: list[date] = []
    soon_on = _soon_on(line)
    for row in unpaid:
        if row.due_on > soon_on:
            return [*found, row.due_on - (soon_on - line.on)]
        if row.due_on > line.on:
            found.append(row.due_on)
        elif row.due_on == line.on:
            found = [row.due_on + timedelta(days=1)]
    return found
