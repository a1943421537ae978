"""Collections' API of cases, promises and plans: read the request, change the case, render it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lending.collections.v1 import collections_service_pb2 as pb
from lending.collections.v1.collections_service_pb2_grpc import CollectionsServiceServicer

from services.collections import wire, wire_contact
from services.collections.application.debtors import Debtors
from services.collections.application.desk import Desk, View
from services.collections.application.planning import Planning
from services.collections.application.queueing import Queued, Queueing
from services.collections.domain.case import Case, CaseNotFound, require_open, with_promise
from services.collections.domain.contact_gate import ContactRefused
from services.collections.domain.hardship import Budget
from services.collections.entrypoints.answers import answer_after, first_answer
from shared.kernel.dates import parse_date
from shared.runtime.records import Work
from shared.runtime.requests import a_number, a_text, an_amount, an_id


class CollectionsService(CollectionsServiceServicer):
    """Answers every rpc of lending.collections.v1.CollectionsService."""

    def __init__(self, desk: Desk, planning: Planning, debtors: Debtors) -> None:
        self.desk, self.planning, self.debtors = desk, planning, debtors
        self.queueing = Queueing(desk.records, desk.contacting)

    async def _change(self, request: Any, step: Callable[[Case], Case]) -> pb.Case:
        """Change a case once per request id."""
        an_id(request.request_id, "request_id")
        loan_id = an_id(request.loan_id, "loan_id")

        async def act(work: Work) -> pb.Case:
            case = await self.desk.change(work, loan_id, step)
            return wire.case_message(await self.desk.view(work, case))

        return await self.desk.records.answer_once(request, pb.Case, act)

    async def GetCase(self, request: Any, context: Any) -> pb.Case:
        """Return the case of a loan."""
        loan_id = an_id(request.loan_id, "loan_id")
        async with self.desk.records.work() as work:
            view = await self._view(work, loan_id)
            on = self.desk.sending.clock.today()
            return _queued(view, await self.queueing.next_of(work, view.case, view.messages, on))

    async def _shown(self, work: Work, loan_id: str) -> pb.Case:
        return wire.case_message(await self._view(work, loan_id))

    async def _view(self, work: Work, loan_id: str) -> View:
        case = await work.get(Case, loan_id)
        if case is None:
            raise CaseNotFound(f"loan {loan_id} has no case", field="loan_id")
        return await self.desk.view(work, case)

    async def ListCases(self, request: Any, context: Any) -> pb.ListCasesResponse:
        """List cases by loan id, or filtered and in another order."""
        states = {pb.CASE_STATUS_OPEN: "OPEN", pb.CASE_STATUS_CLOSED: "CLOSED"}
        state, on = states.get(request.status, ""), self.desk.sending.clock.today()
        found, token = await self.queueing.cases(
            state, request.filter, request.order_by, request.page, on
        )
        async with self.desk.records.work() as work:
            views = [await self.desk.view(work, row.case, attempts=False) for row in found]
        shown = [_queued(view, row) for view, row in zip(views, found, strict=True)]
        return pb.ListCasesResponse(cases=shown, next_page_token=token)

    async def SetPreferences(self, request: Any, context: Any) -> pb.Case:
        """Set how a borrower may be reached."""
        an_id(request.request_id, "request_id")

        async def act(work: Work) -> pb.Case:
            case = require_open(await work.get(Case, request.loan_id), request.loan_id)
            await self.debtors.set_preferences(work, case, request)
            return wire.case_message(await self.desk.view(work, case))

        return await self.desk.records.answer_once(request, pb.Case, act)

    async def RecordContact(self, request: Any, context: Any) -> pb.Case:
        """Record an attempt to reach somebody, if one is allowed then."""
        loan_id = an_id(request.loan_id, "loan_id")
        an_id(request.request_id, "request_id")
        contacting = self.desk.contacting

        async def act(work: Work) -> pb.Case:
            case = require_open(await work.get(Case, loan_id), loan_id)
            attempt = wire_contact.attempt(request, case)
            if request.validate_only:
                await contacting.ask(work, attempt)
            elif request.happened:
                await contacting.happened(work, attempt)
            else:
                await contacting.begin(work, attempt)
            return wire.case_message(await self.desk.view(work, case))

        try:
            if request.validate_only:
                async with self.desk.records.work() as work:
                    return await act(work)
            return await self.desk.records.answer_once(request, pb.Case, act)
        except ContactRefused as refusal:
            if not request.validate_only:
                await self._keep_refusal(request, refusal)
            raise

    async def _keep_refusal(self, request: Any, refusal: ContactRefused) -> None:
        async with self.desk.records.work() as work:
            case = require_open(await work.get(Case, request.loan_id), request.loan_id)
        await self.desk.contacting.refused(wire_contact.attempt(request, case), refusal)

    async def RecordPromise(self, request: Any, context: Any) -> pb.Case:
        """Record a promise to pay."""
        made_on = parse_date(request.made_on, field="made_on")
        strategy = self.desk.contacting.policies.strategy(made_on)
        promise = wire.promise(request, strategy)
        self.desk.sending.clock.lately(made_on, "made_on", strategy.promise_days_back_most)
        return await self._change(
            request,
            lambda case: with_promise(case, promise, request.amount.currency),
        )

    async def PreviewHardshipOptions(
        self, request: Any, context: Any
    ) -> pb.PreviewHardshipOptionsResponse:
        """Ask the ledger what each measure would do."""
        an_id(request.loan_id, "loan_id")
        a_number(request.instalments, "instalments", 1, 480)
        parse_date(request.effective_on, field="effective_on")
        parse_date(request.first_due_on, field="first_due_on")
        if request.HasField("settlement"):
            an_amount(request.settlement, "settlement")
        budget: Budget | None = wire.budget(request.budget, stated=request.HasField("budget"))
        options = await self.planning.preview(request, budget)
        left = budget.left_minor if budget else 0
        return pb.PreviewHardshipOptionsResponse(options=options, left_minor=left)

    async def ProposeHardshipPlan(self, request: Any, context: Any) -> pb.Case:
        """Propose a hardship plan, as the ledger previews it."""
        an_id(request.request_id, "request_id")
        loan_id = an_id(request.loan_id, "loan_id")
        first = await first_answer(self.desk.records, request, pb.Case)
        if first is not None:
            return first
        plan = await self.planning.previewed(
            loan_id, wire.plan(request), request.request_id, request.settlement.currency
        )

        async def act(work: Work) -> pb.Case:
            case = await self.planning.propose(work, loan_id, plan)
            return wire.case_message(await self.desk.view(work, case))

        return await self.desk.records.answer_once(request, pb.Case, act)

    async def WithdrawHardshipPlan(self, request: Any, context: Any) -> pb.Case:
        """Withdraw a hardship plan that waits for approval."""
        an_id(request.request_id, "request_id")
        loan_id = an_id(request.loan_id, "loan_id")
        by = a_text(request.withdrawn_by, "withdrawn_by").strip()

        async def act(work: Work) -> pb.Case:
            case = await self.planning.withdraw(work, loan_id, by)
            return wire.case_message(await self.desk.view(work, case))

        return await self.desk.records.answer_once(request, pb.Case, act)

    async def ApproveHardshipPlan(self, request: Any, context: Any) -> pb.Case:
        """Approve a hardship plan and restructure the loan."""
        an_id(request.request_id, "request_id")
        loan_id = an_id(request.loan_id, "loan_id")
        approved_by = a_text(request.approved_by, "approved_by").strip()
        effective_on = parse_date(request.effective_on, field="effective_on")

        async def act(work: Work) -> pb.Case:
            looked = request.affordability_note[:200].strip()
            case = await self.planning.approve(work, loan_id, approved_by, effective_on, looked)
            return wire.case_message(await self.desk.view(work, case))

        async def shown(work: Work) -> pb.Case:
            return await self._shown(work, loan_id)

        return await answer_after(
            *(self.desk.records, request, pb.Case, act),
            carry_out=lambda: self.planning.carry_out(loan_id),
            shown=shown,
        )

    async def TakeSettlement(self, request: Any, context: Any) -> pb.Case:
        """Take the money of an agreed settlement in; the ledger lets the rest go."""
        an_id(request.request_id, "request_id")
        loan_id = an_id(request.loan_id, "loan_id")
        value_on = parse_date(request.value_on, field="value_on")
        an_amount(request.amount, "amount")
        settling = self.planning.settling

        async def act(work: Work) -> pb.Case:
            case = await settling.take(work, loan_id, value_on, request.amount)
            return wire.case_message(await self.desk.view(work, case))

        async def shown(work: Work) -> pb.Case:
            return await self._shown(work, loan_id)

        return await answer_after(
            *(self.desk.records, request, pb.Case, act),
            carry_out=lambda: settling.carry_out(loan_id),
            shown=shown,
        )


def _queued(view: View, row: Queued) -> pb.Case:
    message = wire.case_message(view)
    if row.next is not None:
        message.next_action, message.next_action_on = row.next.action, row.next.on.isoformat()
    return message
