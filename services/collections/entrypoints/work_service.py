"""Collections' API of tasks, strategies on trial, and figures."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
from lending.collections.v1 import work_service_pb2 as pb
from lending.collections.v1.work_service_pb2_grpc import WorkServiceServicer

from services.collections.adapters.policy_files import read_strategy
from services.collections.application import trail
from services.collections.application.queueing import Queueing, Ranked
from services.collections.application.reporting import Reporting
from services.collections.application.working import Working
from services.collections.domain.case import Case, CaseNotFound
from services.collections.domain.costs import Cost, Spending
from services.collections.domain.figures import OBSERVED_DAYS, Span, Tally
from services.collections.domain.intervals import Share
from services.collections.domain.task import Task
from services.collections.domain.treatment import StrategyInvalid
from shared.kernel.dates import parse_date
from shared.runtime.records import Work
from shared.runtime.requests import a_number, a_text, an_id, an_instant

DIFFERENCES_MAX, STRATEGY_CHARACTERS_MAX = 200, 100_000


class WorkService(WorkServiceServicer):
    """Answers every rpc of lending.collections.v1.WorkService."""

    def __init__(self, working: Working, reporting: Reporting, today: Any) -> None:
        self.working, self.reporting, self.today = working, reporting, today
        self.records = working.records
        self.queueing = Queueing(working.records, working.contacting)

    async def ListTasks(self, request: Any, context: Any) -> pb.ListTasksResponse:
        """List tasks, the most urgent first unless asked otherwise."""
        if request.due_before:
            parse_date(request.due_before, field="due_before")
        also = {
            name: getattr(request, name) for name in ("queue", "kind", "assignee", "due_before")
        }
        rows, token = await self.queueing.tasks(
            also, request.filter, request.order_by, request.page, self.today()
        )
        return pb.ListTasksResponse(tasks=[_ranked(row) for row in rows], next_page_token=token)

    async def AssignTask(self, request: Any, context: Any) -> pb.Task:
        """Give a task to somebody."""
        return await self._change(request, assignee=request.assignee[:64])

    async def FinishTask(self, request: Any, context: Any) -> pb.Task:
        """Say that a task is done."""
        done_by = a_text(request.done_by, "done_by")
        note = a_text(request.note, "note")
        done = {"state": "DONE", "assignee": done_by, "note": note}
        return await self._change(request, **done, done_on=self.today())

    async def _change(self, request: Any, **changes: object) -> pb.Task:
        an_id(request.request_id, "request_id")

        async def act(work: Work) -> pb.Task:
            return _task(await self.working.change(work, request.task_id, **changes))

        return await self.records.answer_once(request, pb.Task, act)

    async def AddNote(self, request: Any, context: Any) -> pb.AddNoteResponse:
        """Write a note into a borrower's trail."""
        an_id(request.request_id, "request_id")
        at, note = an_instant(request.at, "at"), a_text(request.note, "note")

        async def act(work: Work) -> pb.AddNoteResponse:
            case = await work.get(Case, request.loan_id)
            if case is None:
                raise CaseNotFound("the loan has no case", field="loan_id")
            entry = trail.Entry(
                at=at,
                borrower_ref=case.borrower_ref,
                loan_id=case.loan_id,
                what="NOTE",
                by=request.made_by[:64],
                said=note,
            )
            await trail.write(work, entry)
            return pb.AddNoteResponse()

        return await self.records.answer_once(request, pb.AddNoteResponse, act)

    async def PreviewStrategy(self, request: Any, context: Any) -> pb.PreviewStrategyResponse:
        """Say which open cases a strategy would treat otherwise."""
        text = request.strategy_toml[:STRATEGY_CHARACTERS_MAX]
        try:
            strategy = read_strategy(text)
        except (ValueError, msgspec.ValidationError) as wrong:
            raise StrategyInvalid(str(wrong)[:200], field="strategy_toml") from None
        cases, found = await self.working.preview(strategy, self.today())
        return pb.PreviewStrategyResponse(
            version=strategy.version,
            cases=cases,
            different=len(found),
            differences=[
                pb.Difference(
                    loan_id=row.loan_id,
                    steps_before=row.before,
                    steps_after=row.after,
                    arm_before=row.arm_before,
                    arm_after=row.arm_after,
                )
                for row in found[:DIFFERENCES_MAX]
            ],
        )

    async def GetFigures(self, request: Any, context: Any) -> pb.GetFiguresResponse:
        """Count what became of contacts, promises and cases."""
        from_on = parse_date(request.from_on, field="from_on") if request.from_on else date.min
        until = parse_date(request.until_on, field="until_on") if request.until_on else date.max
        observed = a_number(request.observed_days, "observed_days", 0, 720) or OBSERVED_DAYS
        extent = await self.reporting.extent(self.today())
        tally = Tally(Span(from_on, until, extent.seen_on, observed))
        spent = Spending(tally.span, self.working.contacting.policies.strategy(self.today()))
        async for book in self.reporting.books(extent):
            tally.add(book)
            spent.add(book)
        rate = tally.contacts_per_cure()
        return pb.GetFiguresResponse(
            shares=[_share(one) for one in tally.shares()],
            months=[pb.Month(**month._asdict()) for month in tally.months()],
            contacts_per_cure="" if rate is None else str(rate),
            costs=[_cost(one) for one in spent.costs()],
        )


def _cost(one: Cost) -> pb.Cost:
    said = "" if one.per_hundred is None else str(one.per_hundred)
    return pb.Cost(**one._asdict(), per_hundred=said)


def _share(one: Share) -> pb.Share:
    counted = one._asdict()
    counted.pop("effective")
    share, low, high = one.bounds or ("", "", "")
    return pb.Share(**counted, share=str(share), low=str(low), high=str(high))


def _task(task: Task) -> pb.Task:
    return pb.Task(
        task_id=task.task_id,
        kind=task.kind,
        queue=task.queue,
        borrower_ref=task.borrower_ref,
        loan_id=task.loan_id,
        created_on=task.created_on.isoformat(),
        due_on=task.due_on.isoformat(),
        state=task.state,
        assignee=task.assignee,
        note=task.note,
        done_on=task.done_on.isoformat() if task.done_on else "",
    )


def _ranked(row: Ranked) -> pb.Task:
    message = _task(row.task)
    message.score, message.arrears_minor = row.score, row.arrears_minor
    message.days_overdue = row.days_overdue
    return message
