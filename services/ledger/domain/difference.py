"""What changed between two looks at a loan, and which event or which days changed it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

import msgspec

from services.ledger.domain.events import Fact
from services.ledger.domain.explain import figures
from services.ledger.domain.facts import MoneyFact
from services.ledger.domain.loan_account import LoanAccount, fold
from services.ledger.domain.replay import in_order
from services.ledger.domain.trail import Trail


class Look(NamedTuple):
    """A point on both clocks: about this date, as known at this instant."""

    on: date
    known_at: datetime


class Step(NamedTuple):
    """One cause and what it did to each figure; version 0 is time alone."""

    version: int
    cause: str
    upto: date
    changes: dict[str, int]


def difference(events: Sequence[Fact], before: Look, after: Look) -> list[Step]:
    """
    Attribute the difference of every figure to events and to time; the steps sum exactly.

    Args:
        events: The loan's whole stream, in recorded order.
        before: The first look.
        after: The second.
    Returns:
        First what was learned between the looks (about the first date), then what counted
        between the dates; steps that change nothing are left out.
    """
    steps, seen = _learned(events, before, after)
    return [s for s in (*steps, *_passed(events, before, after, seen)) if s.changes]


def _known(events: Sequence[Fact], at: datetime) -> int:
    return sum(1 for event in events if event.recorded_at <= at)


def figures_at(events: Sequence[Fact], look: Look) -> dict[str, int]:
    """Return every figure at one look; none before the loan was paid out."""
    return _figures(fold(events[: _known(events, look.known_at)]), look.on)


def _learned(
    events: Sequence[Fact], before: Look, after: Look
) -> tuple[list[Step], dict[str, int]]:
    """Move along what was known, at the first date; backwards if the second look knew less."""
    first, last = _known(events, before.known_at), _known(events, after.known_at)
    seen = _figures(fold(events[:first]), before.on)
    forth = range(first + 1, last + 1)
    order = (
        [(k, k) for k in forth] if last >= first else [(k, k - 1) for k in range(first, last, -1)]
    )
    steps = []
    for version, upto in order:
        now = _figures(fold(events[:upto]), before.on)
        cause = type(events[version - 1]).__name__
        steps.append(Step(version, cause, before.on, _changes(seen, now)))
        seen = now
    return steps, seen


def _passed(events: Sequence[Fact], before: Look, after: Look, seen: dict[str, int]) -> list[Step]:
    """Move along the dates as known at the second look; each fact counts on its own date."""
    account = fold(events[: _known(events, after.known_at)])
    if account is None or before.on == after.on:
        return []
    back = after.on < before.on
    low, high = sorted((before.on, after.on))
    facts = in_order(account.facts)
    earlier = [f for f in facts if f.effective_on <= low]
    between = [f for f in facts if low < f.effective_on <= high]
    steps, now, kept = [], _figures(_with(account, earlier), low), earlier
    for fact in between:
        waited = _figures(_with(account, kept), fact.effective_on)
        kept = [*kept, fact]
        done = _figures(_with(account, kept), fact.effective_on)
        steps.append(Step(0, "time", fact.effective_on, _changes(now, waited)))
        cause = str(fact.kind)
        steps.append(Step(fact.version, cause, fact.effective_on, _changes(waited, done)))
        now = done
    steps.append(Step(0, "time", high, _changes(now, _figures(account, high))))
    if back:
        return [s._replace(changes={k: -v for k, v in s.changes.items()}) for s in reversed(steps)]
    return steps


def _with(account: LoanAccount, facts: list[MoneyFact]) -> LoanAccount:
    counting = Trail(fact for fact in facts if fact.fact_id not in account.reversed_ids)
    return msgspec.structs.replace(account, facts=Trail(facts), counting=counting)


def _figures(account: LoanAccount | None, on: date) -> dict[str, int]:
    line = account.timeline(on) if account is not None else None
    return figures(line) if line is not None else {}


def _changes(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    moved = {k: after.get(k, 0) - before.get(k, 0) for k in sorted({*before, *after})}
    return {k: v for k, v in moved.items() if v}
