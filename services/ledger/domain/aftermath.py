"""What follows from a fact: its allocations and postings, a restated past, a new standing."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain.delinquency import (
    Standing,
    Transition,
    instalments_due,
    next_transition_on,
    standing_of,
    transitions_between,
)
from services.ledger.domain.facts import LoanStatus
from services.ledger.domain.loan_account import LoanAccount, evolve
from services.ledger.domain.reasons import instalments_owed
from services.ledger.domain.timeline import Timeline
from services.ledger.domain.trail import Trail


def aftermath(
    before: LoanAccount, fact: ev.Fact, after: LoanAccount, command: cmd.Asked
) -> list[ev.Fact]:
    """
    Complete a fact with its outcome and add what follows from it.

    Args:
        before: The account without the fact.
        fact: The fact, its allocations and postings still empty.
        after: The account with the fact.
        command: Gives the clocks.
    Returns:
        The fact with outcomes; then TimelineRestated, TransitionRecorded, LoanSettled as due.
    """
    assert command.business_on is not None
    today = max(command.business_on, after.disbursed_on or command.business_on)
    old = before.timeline(today)
    superseded = _after(before.aged, fact.effective_on)
    most, new = after.walked([row[1] for row in superseded], today) if superseded else (0, None)
    new = new or after.timeline(today)
    assert new is not None
    events = [_with_outcome(fact, old, new)]
    account = after
    restated = _restated(account, fact, old, new, command, superseded, most)
    if restated is not None:
        events.append(restated)
        account = evolve(account, restated)
    moved = _standing_today(account, new, (after.version, type(fact).__name__), command)
    if moved is not None:
        events.append(moved)
        account = evolve(account, moved)
    open_still = account.status not in _ENDED
    if open_still and not new.owes(1) and not isinstance(fact, ev.LoanChargedOff):
        events.append(ev.LoanSettled(**stamp(command, fact.effective_on)))
    return events


def _after(aged: Trail[tuple[int, date, int]], on: date) -> list[tuple[int, date, int]]:
    """Return the standings at the end that were recorded of days after a date."""
    rows = aged[:]
    first = len(rows)
    for row in reversed(rows):
        if row[1] <= on:
            break
        first -= 1
    return rows[first:]


_ENDED = (LoanStatus.SETTLED, LoanStatus.WRITTEN_OFF, LoanStatus.CANCELLED)


def stamp(command: cmd.Asked, effective_on: date, reason: str = "") -> dict[str, Any]:
    """Return what every fact copies from its command."""
    return {
        "loan_id": command.loan_id,
        "effective_on": effective_on,
        "recorded_at": command.recorded_at,
        "request_id": command.request_id,
        "reason": reason,
        "actor": command.actor,
        "traceparent": command.traceparent,
    }


def _with_outcome(fact: ev.Fact, old: Timeline | None, new: Timeline) -> ev.Fact:
    """Fill in where money went, and the difference that the fact makes to the books."""
    if old is None or not isinstance(fact, ev.Financial):
        return fact
    then, now = old.books, new.books
    moved = {name: amount - then.get(name, 0) for name, amount in now.items()}
    moved.update((name, -amount) for name, amount in then.items() if name not in now)
    assert sum(moved.values()) == 0, "a fact's postings sum to zero"
    changes: dict[str, Any] = {
        "postings": tuple(ev.Posting(name, moved[name]) for name in sorted(moved) if moved[name])
    }
    if isinstance(fact, ev.RepaymentPosted | ev.RecoveryPosted):
        changes["allocations"] = new.allocated(fact.repayment_id)
    if isinstance(fact, ev.RepaymentReversed):
        changes["taken_back"] = old.allocated(fact.repayment_id) or ()
    return msgspec.structs.replace(fact, **changes)


def _restated(
    after: LoanAccount,
    fact: ev.Fact,
    old: Timeline | None,
    new: Timeline,
    command: cmd.Asked,
    superseded: list[tuple[int, date, int]],
    days_past_due_max: int,
) -> ev.TimelineRestated | None:
    """Say once what a fact that counts earlier changed in the days since; None if nothing."""
    if old is None:
        return None
    reallocated = _reallocated(old, new)
    reopened = after.status is LoanStatus.SETTLED and new.owes(1)
    lost = _charged_off(old, new)
    if not superseded and not reallocated and not reopened and not lost:
        return None
    latest = max([fact.effective_on, *[row[1] for row in superseded]])
    return ev.TimelineRestated(
        **stamp(command, fact.effective_on, f"{type(fact).__name__} counts earlier"),
        cause_version=after.version,
        superseded_versions=tuple([row[0] for row in superseded]),
        to_on=latest,
        days_past_due_max_before=max([row[2] for row in superseded], default=0),
        days_past_due_max_after=days_past_due_max,
        reallocated=tuple(reallocated),
        reopened=reopened or UNSET,
        **lost,
    )


def _charged_off(old: Timeline, new: Timeline) -> dict[str, Any]:
    """Return what a charge-off took off the books, as it was and is, where that changed."""
    before, after = old.charged_off_principal, new.charged_off_principal
    if before is None or after is None or before == after:
        return {}
    return {"charged_off_before_minor": before, "charged_off_after_minor": after}


def _reallocated(old: Timeline, new: Timeline) -> list[str]:
    """Return the ids of the facts whose money went elsewhere, sorted."""
    if len(new.allocations) >= len(old.allocations) and new.allocations.shares(old.allocations):
        return []
    now = dict(new.allocations)
    return sorted(name for name, slots in old.allocations if now.get(name) != slots)


def _standing_today(
    account: LoanAccount, line: Timeline, cause: tuple[int, str], command: cmd.Asked
) -> ev.TransitionRecorded | None:
    """Record how late the loan is after a fact, if that or the next change differs."""
    standing, upcoming = standing_of(line), next_transition_on(line)
    changes = transitions_between(account.standing, standing, line.terms.delinquency)
    # Schemes of another policy are said although no bucket has changed, and arrears that grew.
    if (
        not changes
        and upcoming == account.next_transition_on
        and account.standing.arrears_minor == standing.arrears_minor
        and account.standing.buckets.keys() == standing.buckets.keys()
    ):
        return None
    return _recorded(command, line, standing, changes, upcoming, cause)


def _recorded(
    command: cmd.Asked,
    line: Timeline,
    standing: Standing,
    changes: tuple[Transition, ...],
    upcoming: date | None,
    cause: tuple[int, str] | UnsetType = UNSET,
) -> ev.TransitionRecorded:
    return ev.TransitionRecorded(
        **stamp(command, line.on),
        standing=standing,
        transitions=changes,
        next_transition_on=upcoming,
        delinquency_policy=line.terms.delinquency.policy,
        owed=instalments_owed(line, standing.oldest_due_on) if changes else UNSET,
        cause=cause if changes else UNSET,
    )


def age(account: LoanAccount, command: cmd.AgeLoan) -> list[ev.Fact]:
    """
    Record every change of standing up to a date, one event per date on which something changes.

    Catching up over missed days gives the events that running each day would have given.
    """
    events: list[ev.Fact] = []
    while account.next_transition_on is not None and account.next_transition_on <= command.to_on:
        on = account.next_transition_on
        event = account.glance(on, partial(_aged, command, account.standing))
        events.append(event)
        account = evolve(account, event)
    return events


def _aged(command: cmd.Asked, before: Standing, line: Timeline) -> ev.TransitionRecorded:
    """Record what falls due on the date of a line, how late the loan is, and when that changes."""
    standing, upcoming = standing_of(line), next_transition_on(line)
    changed = transitions_between(before, standing, line.terms.delinquency)
    changes = instalments_due(line) + changed
    return _recorded(command, line, standing, changes, upcoming)
