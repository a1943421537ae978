"""Queues of cases and tasks: by stage, amount, score and next action, in the asked order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from lending.common.v1.page_pb2 import Page

from services.collections.application.contacting import Contacting
from services.collections.application.desk import messages_of
from services.collections.application.paging import Asked, Key, asked, page_of
from services.collections.application.tasks import tasks_of
from services.collections.domain.case import Case
from services.collections.domain.contact_rules import ProtectionKind
from services.collections.domain.debtor import Debtor
from services.collections.domain.message import Message
from services.collections.domain.next_action import COMING, Next, next_action
from services.collections.domain.task import Task
from services.collections.domain.treatment import score
from shared.runtime.listing import parse_filter, parse_order
from shared.runtime.records import Records, Work

NEVER = "9999-12-31"
CASE_FIELDS: dict[str, type] = {
    **{"loan_id": str, "borrower_ref": str, "stage": str, "arm": str, "currency": str},
    **{"score": int, "arrears_minor": int, "days_past_due": int},
    **{"next_action": str, "next_action_on": str},
}
TASK_FIELDS: dict[str, type] = {
    **{"task_id": str, "kind": str, "queue": str, "loan_id": str, "assignee": str},
    **{"created_on": str, "due_on": str, "score": int, "arrears_minor": int, "days_overdue": int},
}


class Ranked(NamedTuple):
    """A task with how urgent its case is on a day, and how late it is."""

    task: Task
    score: int
    arrears_minor: int
    days_overdue: int


class Queued(NamedTuple):
    """A case with what is to be done next."""

    case: Case
    next: Next | None


@dataclass(frozen=True, slots=True)
class Queueing:
    """Lists of work, read in one transaction each."""

    records: Records
    contacting: Contacting

    async def next_of(self, work: Work, case: Case, messages: list[Message], on: date) -> Queued:
        """Return one case with what is to be done next."""
        debtor = await work.get(Debtor, case.borrower_ref)
        return self._queued(case, debtor, await tasks_of(work, case.loan_id), messages, on)

    def _queued(
        self,
        case: Case,
        debtor: Debtor | None,
        tasks: list[Task],
        messages: list[Message],
        on: date,
    ) -> Queued:
        # A book's date may not have been heard yet since the start: the case's own has.
        on = max(on, case.seen_on or case.last.effective_on)
        vulnerable = debtor is not None and debtor.protected_by(ProtectionKind.VULNERABLE, on)
        strategy = self.contacting.policies.strategy(on)
        found = next_action(case, strategy, tasks, messages, on, vulnerable=vulnerable)
        return Queued(case, found)

    async def cases(
        self, state: str, filter_: str, order_by: str, page: Page, on: date
    ) -> tuple[list[Queued], str]:
        """
        Return a page of cases, and the token of the next.

        Raises:
            FilterInvalid, OrderInvalid, PageTokenInvalid
        """
        conditions = parse_filter(filter_, CASE_FIELDS)
        order = parse_order(order_by, tuple(CASE_FIELDS))
        wanted = asked(page, "cases", state, filter_, order_by)
        if not conditions and order.field == "loan_id":
            return await self._by_id(state, wanted, on)
        rows = [
            (row, fields)
            for row in await self._all(state, on)
            for fields in [_of_case(row)]
            if all(one.holds(fields) for one in conditions)
        ]
        shown, token = page_of(
            rows,
            wanted,
            lambda row: (row[1][order.field], row[0].case.loan_id),
            descending=order.descending,
        )
        return [row for row, _ in shown], token

    async def _by_id(self, state: str, wanted: Asked, on: date) -> tuple[list[Queued], str]:
        """Return a page by loan id, and read no more than that."""
        after = wanted.place[1] if wanted.place else ""
        async with self.records.work() as work:
            cases = await work.find(Case, state=state, after=after, limit=wanted.size + 1)
            shown = [
                await self.next_of(work, case, await messages_of(work, case.loan_id), on)
                for case in cases[: wanted.size]
            ]
        last = shown[-1].case.loan_id if len(cases) > wanted.size else ""
        return shown, wanted.token((last, last)) if last else ""

    async def _all(self, state: str, on: date) -> list[Queued]:
        tasks: dict[str, list[Task]] = defaultdict(list)
        messages: dict[str, list[Message]] = defaultdict(list)
        async with self.records.work() as work:
            cases = [case async for case in work.every(Case, state=state)]
            debtors = {one.borrower_ref: one async for one in work.every(Debtor)}
            async for task in work.every(Task, state="OPEN"):
                tasks[task.loan_id].append(task)
            for coming in COMING:
                async for message in work.every(Message, state=coming):
                    messages[message.loan_id].append(message)
        return [
            self._queued(
                case,
                debtors.get(case.borrower_ref),
                tasks[case.loan_id],
                messages[case.loan_id],
                on,
            )
            for case in cases
        ]

    async def tasks(
        self, also: Mapping[str, str], filter_: str, order_by: str, page: Page, on: date
    ) -> tuple[list[Ranked], str]:
        """
        Return a page of open tasks, and the token of the next; the most urgent first by default.

        Args:
            also: Fields that have one value, and `due_before`; empty ones do not matter.
        Raises:
            FilterInvalid, OrderInvalid, PageTokenInvalid
        """
        conditions = parse_filter(filter_, TASK_FIELDS)
        order = parse_order(order_by, tuple(TASK_FIELDS))
        wanted = asked(page, "tasks", sorted(also.items()), filter_, order_by)
        rows = []
        for row in await self._ranked(on):
            fields = _of_task(row)
            before = also["due_before"]
            same = all(not v or fields.get(k, v) == v for k, v in also.items())
            same = same and (not before or fields["due_on"] < before)
            if same and all(one.holds(fields) for one in conditions):
                rows.append((row, fields))

        def key(row: tuple[Ranked, dict[str, Any]]) -> Key:
            if not order_by.split():
                return f"{100 - row[0].score:03}{row[0].task.due_on}", row[0].task.task_id
            return row[1][order.field], row[0].task.task_id

        shown, token = page_of(rows, wanted, key, descending=order.descending)
        return [row for row, _ in shown], token

    async def _ranked(self, on: date) -> list[Ranked]:
        async with self.records.work() as work:
            tasks = [task async for task in work.every(Task, state="OPEN")]
            cases = {case.loan_id: case async for case in work.every(Case, state="OPEN")}
        return [ranked(task, cases.get(task.loan_id), on) for task in tasks]


def ranked(task: Task, case: Case | None, on: date) -> Ranked:
    """Return a task with its case's figures; without an open case they are 0."""
    late = max(0, (on - task.due_on).days) if task.state == "OPEN" else 0
    urgent, owed = (score(case), case.last.arrears_minor) if case else (0, 0)
    return Ranked(task, urgent, owed, late)


def _of_case(row: Queued) -> dict[str, Any]:
    case = row.case
    return {
        "loan_id": case.loan_id,
        "borrower_ref": case.borrower_ref,
        "stage": case.episodes[-1].stage,
        "arm": case.arm,
        "currency": case.currency,
        "score": score(case),
        "arrears_minor": case.last.arrears_minor,
        "days_past_due": case.last.days_past_due,
        "next_action": row.next.action if row.next else "",
        "next_action_on": row.next.on.isoformat() if row.next else NEVER,
    }


def _of_task(row: Ranked) -> dict[str, Any]:
    task = row.task
    return {
        "task_id": task.task_id,
        "kind": task.kind,
        "queue": task.queue,
        "loan_id": task.loan_id,
        "assignee": task.assignee,
        "created_on": task.created_on.isoformat(),
        "due_on": task.due_on.isoformat(),
        "score": row.score,
        "arrears_minor": row.arrears_minor,
        "days_overdue": row.days_overdue,
    }
