"""When a loan may be called healthy again: arrears all paid, and then a time without new ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from services.ledger.domain.policies import Cure, DelinquencyPolicy, Scheme
from services.ledger.domain.timeline import Timeline
from shared.kernel.dates import add_months


class LateRun(NamedTuple):
    """
    Days on which something was overdue, without a gap.

    `days_max` is the highest number of days that counted; `ended_on` None while it goes on.
    """

    since: date
    ended_on: date | None
    days_max: int


def days_paused(pauses: list[tuple[date, date]], due_on: date, on: date) -> int:
    """Return how many of the days since a due date fall into pauses; each day once."""
    paused = {
        day
        for first, last in pauses
        for day in range(max(first, due_on).toordinal() + 1, min(last, on).toordinal() + 1)
    }
    return len(paused)


def date_counted(pauses: list[tuple[date, date]], due_on: date, days: int) -> date:
    """Return the first date by which so many days count, none of them paused."""
    on, reached = due_on + timedelta(days=days), due_on
    for first, last in sorted(pauses):
        since = max(first, reached)
        if since < min(on, last):
            on += last - since
            reached = last
    return on


def days_counted(line: Timeline, due_on: date, on: date | None = None) -> int:
    """Return the days past due that classify: without pauses and the policy's uncounted days."""
    on = on or line.on
    elapsed = (on - due_on).days
    paused = days_paused(line.pauses, due_on, on) if line.pauses else 0
    return max(0, elapsed - paused - line.terms.delinquency.uncounted_days)


def late_runs(line: Timeline) -> list[LateRun]:
    """Return every time a loan was late up to the timeline's date, oldest first."""
    runs: list[LateRun] = []
    for row in line.rows:
        if row.due_on >= line.on:
            break
        ended = row.paid_on if row.unpaid <= 0 else None
        if row.unpaid <= 0 and (ended is None or ended <= row.due_on + timedelta(days=1)):
            continue
        last_day = ended - timedelta(days=1) if ended else line.on
        run = LateRun(row.due_on, ended, days_counted(line, row.due_on, last_day))
        goes_on = runs and (runs[-1].ended_on is None or run.since < runs[-1].ended_on)
        if not goes_on:
            runs.append(run)
            continue
        before = runs.pop()
        ends = None if ended is None or before.ended_on is None else max(ended, before.ended_on)
        runs.append(LateRun(before.since, ends, max(before.days_max, run.days_max)))
    return runs


def held(line: Timeline, cure: Cure, scheme: Scheme) -> date | None:
    """
    Say until when a loan stays in the bucket of a cure rule at least.

    Returns:
        The first date on which it may leave; `date.max` while something is overdue; None when the
        rule does not hold it.
    """
    edge = scheme.first_day(cure.bucket)
    until: date | None = None
    for run in late_runs(line):
        again = until is not None and run.since < until
        if run.days_max < edge and not again:
            continue
        until = date.max if run.ended_on is None else _release(line, cure, run.ended_on)
    return until if until is not None and until > line.on else None


def _release(line: Timeline, cure: Cure, cleared_on: date) -> date:
    """Return the end of probation: the longest of what the rule asks for."""
    ends = [add_months(cleared_on, cure.probation_months)]
    coming = [row.due_on for row in line.rows if row.due_on > cleared_on]
    if cure.probation_instalments and coming:
        ends.append(coming[min(cure.probation_instalments, len(coming)) - 1])
    if cure.forborne_months:
        ends += [add_months(day, cure.forborne_months) for day in line.forborne_on]
    return max(ends)


def stayed(line: Timeline, buckets: dict[str, str]) -> dict[str, str]:
    """Return the buckets, none better than a cure rule lets it be."""
    policy = line.terms.delinquency
    if not policy.cures or line.closed:
        return buckets
    kept = dict(buckets)
    for cure, scheme in _ruled(policy):
        worse = scheme.first_day(cure.bucket) > scheme.first_day(kept[scheme.name])
        if worse and held(line, cure, scheme) is not None:
            kept[scheme.name] = cure.bucket
    return kept


def releases(line: Timeline) -> list[date]:
    """Return the coming dates on which a probation ends."""
    if line.closed:
        return []
    ends = (held(line, cure, scheme) for cure, scheme in _ruled(line.terms.delinquency))
    return [end for end in ends if end is not None and end != date.max]


def _ruled(policy: DelinquencyPolicy) -> Iterator[tuple[Cure, Scheme]]:
    schemes = {scheme.name: scheme for scheme in policy.schemes}
    return ((cure, schemes[cure.scheme]) for cure in policy.cures)
