"""Work for people changed, and what another strategy would do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import msgspec

from services.collections.application.contacting import Contacting
from services.collections.domain.case import Case
from services.collections.domain.contact_rules import ProtectionKind
from services.collections.domain.debtor import Debtor
from services.collections.domain.task import Task, require_task
from services.collections.domain.treatment import Strategy, arm_of, steps_due
from shared.runtime.records import Records, Work


class Otherwise(NamedTuple):
    """One case as it is treated, and as it would be: steps and arms."""

    loan_id: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    arm_before: str
    arm_after: str


@dataclass(frozen=True, slots=True)
class Working:
    """Tasks, and strategies on trial."""

    records: Records
    contacting: Contacting

    async def change(self, work: Work, task_id: str, **changes: object) -> Task:
        """Change an open task; raise TaskNotFound or TaskIsDone."""
        task = require_task(await work.get(Task, task_id), task_id)
        changed = msgspec.structs.replace(task, **changes)
        await work.put(changed, task_id, changed.state)
        return changed

    async def preview(self, strategy: Strategy, on: date) -> tuple[int, list[Otherwise]]:
        """
        Say which open cases a strategy would treat otherwise on a day.

        Returns:
            How many open cases there are, and those that differ, by loan id. Within the same
            experiment a case keeps its arm; a new experiment deals arms anew.
        """
        now = self.contacting.policies.strategy(on)
        found = []
        async with self.records.work() as work:
            cases = [case async for case in work.every(Case, state="OPEN")]
            for case in cases:
                debtor = await work.get(Debtor, case.borrower_ref)
                row = _compare(now, strategy, case, debtor, on)
                if row.before != row.after or row.arm_before != row.arm_after:
                    found.append(row)
        return len(cases), found


def _compare(
    now: Strategy, then: Strategy, case: Case, debtor: Debtor | None, on: date
) -> Otherwise:
    vulnerable = debtor is not None and debtor.protected_by(ProtectionKind.VULNERABLE, on)
    same = now.experiment == then.experiment and now.arms == then.arms
    arm = case.arm if same else arm_of(then, case.borrower_ref)
    dealt = msgspec.structs.replace(case, arm=arm)
    return Otherwise(
        case.loan_id,
        tuple(due.step.id for due in steps_due(now, case, on, vulnerable=vulnerable)),
        tuple(due.step.id for due in steps_due(then, dealt, on, vulnerable=vulnerable)),
        case.arm,
        arm,
    )
