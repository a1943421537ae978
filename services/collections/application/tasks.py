"""Work for people: opened once by name, cancelled when the case closes."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from services.collections.domain.case import Case
from services.collections.domain.task import Task
from shared.runtime.records import Work

AGENCY_DELETION = "AGENCY_DELETION"
"""An agency has to delete what it was given, whatever becomes of the case."""
STAYING = (AGENCY_DELETION, "ANSWER_COMPLAINT", "ANSWER_DISPUTE")
"""Who complained or disputes is owed an answer, also when nothing else is owed."""


async def open_task(
    work: Work, case: Case, kind: str, on: date, sla_days: int, task_id: str = "", note: str = ""
) -> None:
    """Open a task, unless one of its name was opened before; one with a note is of its own."""
    task_id = task_id or f"{case.loan_id}.{kind.lower()}.{on}"
    queue = case.episodes[-1].stage
    for one in await tasks_of(work, case.loan_id):
        same = (one.kind, one.queue, one.created_on) == (kind, queue, on)
        if (same and not note) or one.task_id == task_id:
            return
    task = Task(
        task_id=task_id,
        kind=kind,
        queue=queue,
        borrower_ref=case.borrower_ref,
        loan_id=case.loan_id,
        created_on=on,
        due_on=on + timedelta(days=sla_days),
        note=note[:200],
    )
    await work.put(task, task_id, task.state)


async def cancel_tasks(work: Work, loan_id: str) -> None:
    """Cancel what is open about a loan."""
    for task in await tasks_of(work, loan_id):
        if task.state == "OPEN" and task.kind not in STAYING:
            gone = msgspec.structs.replace(task, state="CANCELLED", note="the case closed")
            await work.put(gone, task.task_id, gone.state)


async def tasks_of(work: Work, loan_id: str) -> list[Task]:
    """Return the tasks about a loan, by id."""
    found = work.every(Task, after=f"{loan_id}.", before=f"{loan_id}/")
    return [task async for task in found if task.loan_id == loan_id]
