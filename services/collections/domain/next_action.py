"""What is to be done next about a case, and on which day: what queues are sorted by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

from services.collections.domain.case import Case
from services.collections.domain.message import Message, MessageState
from services.collections.domain.promises import PromiseStatus
from services.collections.domain.task import Task
from services.collections.domain.treatment import Strategy, concerns, has_word

COMING = (MessageState.PLANNED, MessageState.READY, MessageState.SENDING)


class Next(NamedTuple):
    """A day, and a kind of task, "MESSAGE", "PROMISE_DUE", "APPROVE_PLAN" or "SETTLEMENT_DUE"."""

    on: date
    action: str


def next_action(
    case: Case,
    strategy: Strategy,
    tasks: Iterable[Task],
    messages: Iterable[Message],
    on: date,
    *,
    vulnerable: bool,
) -> Next | None:
    """
    Return what comes first, oldest first where something is late already; None: nothing.

    Args:
        case: Closed ones have only tasks.
        strategy: In force on the day: its steps of the present stage that are yet to come.
        tasks: About the loan.
        messages: Of the loan.
        on: The day.
        vulnerable: Whether the debtor is known to be.
    """
    found = [Next(one.due_on, one.kind) for one in tasks if one.state == "OPEN"]
    if case.open:
        waiting = [one for one in messages if one.state in COMING]
        found += [Next(one.planned_at.date(), "MESSAGE") for one in waiting]
        found += [*_agreed(case), *_coming(case, strategy, on, vulnerable=vulnerable)]
    return min(found, default=None)


def _agreed(case: Case) -> Iterator[Next]:
    for promise, standing in zip(case.promises, case.promise_standings(), strict=True):
        if standing.status is PromiseStatus.OPEN:
            seen = case.seen_on or case.last.effective_on
            days = [part.due_on for part in promise.parts if part.due_on >= seen]
            yield Next(min(days, default=promise.due_on), "PROMISE_DUE")
    plan = case.plan
    if plan is not None and plan.status == "PROPOSED" and plan.waits:
        yield Next(plan.proposed_on or case.last.effective_on, "APPROVE_PLAN")
    if plan is not None and plan.is_agreed:
        yield Next(plan.first_due_on, "SETTLEMENT_DUE")


def _coming(case: Case, strategy: Strategy, on: date, *, vulnerable: bool) -> Iterator[Next]:
    """Give the steps of the present stage that are yet to come; what is due is there already."""
    if not case.episodes[-1].stages:
        return
    stage, entered_on = case.episodes[-1].stages[-1]
    for step in strategy.steps:
        since = entered_on + timedelta(days=step.after_days)
        silenced = step.doing == "MESSAGE" and has_word(case)
        coming = stage in step.stages and since > on and not silenced
        if coming and concerns(step.when, case, vulnerable=vulnerable):
            yield Next(since, step.doing.value)
