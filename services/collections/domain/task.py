"""Work for people: what is to be done about which case, by when, and by whom."""

from __future__ import annotations

from datetime import date

import msgspec

from shared.kernel.errors import NotFound, Refused


class TaskNotFound(NotFound):
    """There is no such task."""


class TaskIsDone(Refused):
    """The task is done or was cancelled."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work; `due_on` is its service level."""

    task_id: str
    kind: str
    queue: str
    borrower_ref: str
    loan_id: str
    created_on: date
    due_on: date
    state: str = "OPEN"
    assignee: str = ""
    note: str = ""
    done_on: date | None = None


def require_task(task: Task | None, task_id: str) -> Task:
    """Return an open task; raise TaskNotFound or TaskIsDone."""
    if task is None:
        raise TaskNotFound(f"no task {task_id[:80]!r}", field="task_id")
    if task.state != "OPEN":
        raise TaskIsDone(f"the task is {task.state.lower()}", field="task_id")
    return task
