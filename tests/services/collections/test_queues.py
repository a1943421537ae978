"""Who works a queue sees what matters first: by stage, amount, score, next action and lateness."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from lending.collections.v1 import collections_service_pb2 as pb
from lending.collections.v1 import work_service_pb2 as work_pb
from lending.common.v1.page_pb2 import Page

from services.collections.application.reporting import Reporting
from services.collections.application.working import Working
from services.collections.domain.figures import Book, Span
from services.collections.domain.task import Task
from services.collections.entrypoints.grpc_service import CollectionsService
from services.collections.entrypoints.work_service import WorkService
from shared.runtime.listing import FilterInvalid, OrderInvalid, PageTokenInvalid
from tests.services.collections.counting import shares
from tests.services.collections.house import House, a_house, event, hear
from tests.services.collections.test_answers import PLAN

ON = "2026-02-10"


def cases(house: House) -> CollectionsService:
    return CollectionsService(house.desk, house.planning, house.debtors)


def work(house: House) -> WorkService:
    working = Working(house.desk.records, house.desk.contacting)
    return WorkService(working, Reporting(house.desk.records), lambda: date(2026, 2, 20))


async def a_book(house: House) -> None:
    """Loans in grace, M1, M2 and M3 with different arrears; L-3 has a plan that waits."""
    late = [("L-1", 2, 9_000), ("L-2", 10, 900_000), ("L-3", 35, 50_000), ("L-4", 65, 70_000)]
    for loan, days, arrears in late:
        told = event(
            *(1, "BUCKET_CHANGED", ON, days), loan=loan, borrower=f"B-{loan}", arrears=arrears
        )
        await hear(house, told)
    plan = pb.ProposeHardshipPlanRequest(request_id="plan-1", **{**PLAN, "loan_id": "L-3"})
    await cases(house).ProposeHardshipPlan(plan, None)


QUEUES = [
    # filter | order | loans
    ("", "", "L-1 L-2 L-3 L-4"),
    ('stage = "M1"', "", "L-2"),
    ("arrears_minor >= 50000", "arrears_minor desc", "L-2 L-4 L-3"),
    ("", "score desc", "L-2 L-4 L-3 L-1"),
    ('next_action = "APPROVE_PLAN"', "", "L-3"),
    ('next_action = "CALL" AND next_action_on > "2026-02-10"', "", "L-2"),
    ("", "next_action_on", "L-3 L-2 L-1 L-4"),
    ("days_past_due < 30", "days_past_due", "L-1 L-2"),
]


@pytest.mark.parametrize(("wanted", "order", "loans"), QUEUES)
async def test_queues_of_cases(tmp_path: Path, wanted: str, order: str, loans: str) -> None:
    """Each is read in pages of one: the same rows in the same order, none twice."""
    async with a_house(tmp_path) as house:
        await a_book(house)
        asked = pb.ListCasesRequest(filter=wanted, order_by=order, page=Page(size=1))
        found: list[str] = []
        while True:
            answer = await cases(house).ListCases(asked, None)
            found += [case.loan_id for case in answer.cases]
            if not answer.next_page_token:
                break
            asked.page.token = answer.next_page_token
        asked.order_by = "stage"
        if answer.cases and len(found) > 1:
            with pytest.raises(PageTokenInvalid):
                await cases(house).ListCases(asked, None)

    assert found == loans.split()


NEXT = [
    # what happened after ten days late on 10 February | next action | on
    ([], "CALL", "2026-02-13"),
    ([("BUCKET_CHANGED", "2026-02-14", 14)], "CALL", "2026-02-15"),
    (
        [("BUCKET_CHANGED", "2026-02-14", 14), ("BUCKET_CHANGED", "2026-03-08", 31)],
        "CALL",
        "2026-02-15",
    ),
    ([("BUCKET_CHANGED", "2026-03-08", 31)], "CALL", "2026-03-10"),
    ([("CURED", "2026-02-11", 0)], "", ""),
]


@pytest.mark.parametrize(("more", "action", "on"), NEXT)
async def test_what_is_next(
    tmp_path: Path, more: list[tuple[str, str, int]], action: str, on: str
) -> None:
    """A step to come; once it is there, the task by its day, also when that went by; then none."""
    async with a_house(tmp_path) as house:
        await hear(house, event(1, "BUCKET_CHANGED", ON, 10))
        for number, (type_, day, days) in enumerate(more, 2):
            await hear(house, event(number, type_, day, days))
        case = await cases(house).GetCase(pb.GetCaseRequest(loan_id="L-1"), None)

    assert (case.next_action, case.next_action_on) == (action, on)


async def test_tasks_that_are_late_by_amount(tmp_path: Path) -> None:
    """Ten days on: how late each is, the greatest debt first, and who has none is left out."""
    asked = work_pb.ListTasksRequest(filter="days_overdue > 0", order_by="arrears_minor desc")
    async with a_house(tmp_path) as house:
        for loan, days, arrears in (("L-2", 10, 60_000), ("L-3", 10, 900_000)):
            late = {"loan": loan, "borrower": f"B-{loan}", "arrears": arrears}
            await hear(house, event(1, "BUCKET_CHANGED", ON, days, **late))
            await hear(house, event(2, "INSTALMENT_MISSED", "2026-02-14", days + 4, **late))
        found = (await work(house).ListTasks(asked, None)).tasks
        asked.filter = "days_overdue > 5"
        none = (await work(house).ListTasks(asked, None)).tasks

    assert [(task.loan_id, task.kind, task.days_overdue) for task in found] == [
        ("L-3", "CALL", 5),
        ("L-2", "CALL", 5),
    ]
    assert not none


WRONG: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"filter": "colour = 1"}, FilterInvalid),
    ({"order_by": "colour"}, OrderInvalid),
    ({"page": Page(token="made-up")}, PageTokenInvalid),
]


@pytest.mark.parametrize(("asked", "refusal"), WRONG)
async def test_what_cannot_be_read_is_said(
    tmp_path: Path, asked: dict[str, Any], refusal: type[Exception]
) -> None:
    """A field that is not there, an order that is none, a token of nobody."""
    async with a_house(tmp_path) as house:
        with pytest.raises(refusal):
            await cases(house).ListCases(pb.ListCasesRequest(**asked), None)
        with pytest.raises(refusal):
            await work(house).ListTasks(work_pb.ListTasksRequest(**asked), None)


IN_TIME = [
    # state | done on | book's day | in time, whole, too young
    ("DONE", "2026-02-12", "2026-02-20", (1, 1, 0)),
    ("DONE", "2026-02-13", "2026-02-20", (0, 1, 0)),
    ("DONE", "2026-02-11", "2026-02-12", (0, 0, 1)),
    ("OPEN", "", "2026-02-12", (0, 0, 1)),
    ("OPEN", "", "2026-02-13", (0, 1, 0)),
    ("DONE", "", "2026-02-20", (0, 0, 0)),
    ("CANCELLED", "", "2026-02-20", (0, 0, 0)),
]


@pytest.mark.parametrize(("state", "done_on", "seen_on", "counted"), IN_TIME)
def test_the_service_level_is_a_figure(
    state: str, done_on: str, seen_on: str, counted: tuple[int, int, int]
) -> None:
    """Due on 12 February: done that day is in time; one of before the day was kept is unknown."""
    task = Task(
        **{"task_id": "t", "kind": "CALL", "queue": "M1", "borrower_ref": "B-1", "loan_id": "L-1"},
        created_on=date(2026, 2, 10),
        due_on=date(2026, 2, 12),
        state=state,
        done_on=date.fromisoformat(done_on) if done_on else None,
    )
    span = Span(date(2026, 1, 1), date(2026, 12, 31), date.fromisoformat(seen_on))
    found = [one for one in shares(Book([], [], [], [], [task]), span) if not one.arm]

    assert [(one.part, one.whole, one.young) for one in found] == (
        [counted] if any(counted) else []
    )


async def test_who_finishes_a_task_leaves_the_day(tmp_path: Path) -> None:
    """It is the day that the service level counts by."""
    async with a_house(tmp_path) as house:
        await hear(house, event(1, "BUCKET_CHANGED", ON, 10))
        await hear(house, event(2, "INSTALMENT_MISSED", "2026-02-14", 14))
        (task,) = (await work(house).ListTasks(work_pb.ListTasksRequest(), None)).tasks
        finish = work_pb.FinishTaskRequest(
            request_id="done-1", task_id=task.task_id, done_by="ann", note="reached"
        )
        done = await work(house).FinishTask(finish, None)

    assert (task.done_on, done.done_on) == ("", "2026-02-20")
