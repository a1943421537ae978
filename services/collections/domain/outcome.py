"""What only time decides about a case: promises, plans in probation, settlements agreed on."""

from __future__ import annotations

from datetime import date

import msgspec

from services.collections.domain.case import Case, Ending
from services.collections.domain.hardship import Measure, Plan, probation, withdrawn
from services.collections.domain.promises import PromiseStatus
from services.collections.domain.settlement import standing


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """A closed case with something that only time decides."""

    loan_id: str


def is_watched(case: Case) -> bool:
    """Say whether a promise is open, a plan in probation or a settlement agreed on."""
    promised = any(one.status is PromiseStatus.OPEN for one in case.promise_standings())
    return promised or (case.plan is not None and case.plan.status == "APPROVED")


def watched(case: Case, on: date) -> tuple[Case, list[str]]:
    """Let a plan in probation be completed or fail, and an agreed settlement be met or not."""
    plan = case.plan
    if plan is None or plan.status != "APPROVED":
        return case, []
    status = _standing(case, plan, on)
    if status == plan.status:
        return case, []
    changed = msgspec.structs.replace(plan, status=status)
    return msgspec.structs.replace(case, plan=changed), [f"plan_{status.lower()}"]


def _standing(case: Case, plan: Plan, on: date) -> str:
    if plan.measure is not Measure.SETTLEMENT:
        stages = [entry for episode in case.episodes for entry in episode.stages]
        return probation(plan, stages, on)
    agreed_on = plan.effective_on or date.min
    ended = [one.closed_on for one in case.episodes if one.ending is Ending.SETTLED]
    return standing(plan, any(day and day >= agreed_on for day in ended), on)


def without_word(case: Case) -> Case:
    """Withdraw a plan that nobody approved: it would silence every reminder of the next time."""
    if case.plan is None or case.plan.status != "PROPOSED":
        return case
    return msgspec.structs.replace(case, plan=withdrawn(case.plan))
