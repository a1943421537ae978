"""Hardship plans: previewed in the ledger, proposed, approved by another person, carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import msgspec
from lending.collections.v1 import collections_service_pb2 as pb
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.ledger.v1 import loan_pb2

from services.collections.application import trail
from services.collections.application.assessing import Assessed, Assessing
from services.collections.application.desk import Desk
from services.collections.application.orders import Orders
from services.collections.application.ports import Ledger
from services.collections.application.settling import NOT_JUDGED, Settling
from services.collections.application.shielding import take_back
from services.collections.application.tasks import open_task
from services.collections.domain.case import Case, CaseNotFound, require_open
from services.collections.domain.currency import same_currency
from services.collections.domain.hardship import (
    Budget,
    Measure,
    Plan,
    PlanAlreadyOpen,
    affordability,
    approved,
    withdrawn,
)
from services.collections.domain.settlement import agreed
from shared.kernel.errors import LendingError
from shared.runtime.records import Work

PREVIEWED = (Measure.EXTENSION, Measure.RATE_CHANGE, Measure.PAYMENT_HOLIDAY, Measure.RE_AGE)


@dataclass(slots=True)
class Planning:
    """Plans by case."""

    desk: Desk
    orders: Orders
    ledger: Ledger
    assessing: Assessing
    settling: Settling

    async def preview(
        self, request: pb.PreviewHardshipOptionsRequest, budget: Budget | None
    ) -> list[pb.HardshipOption]:
        """Ask the ledger what each measure would do."""
        async with self.desk.records.work() as work:
            case = require_open(await work.get(Case, request.loan_id), request.loan_id)
        asked = [self._option(request, budget, measure) for measure in PREVIEWED]
        if request.HasField("settlement"):
            asked.append(self.settling.option(case, request))
        return await asyncio.gather(*asked)

    async def _option(
        self, asked: pb.PreviewHardshipOptionsRequest, budget: Budget | None, measure: Measure
    ) -> pb.HardshipOption:
        longer = asked.instalments if measure is not Measure.RATE_CHANGE else 0
        lower = asked.rate_annual if measure is Measure.RATE_CHANGE else ""
        option = pb.HardshipOption(
            measure=pb.Measure.Value(f"MEASURE_{measure}"),
            instalments=longer if measure is Measure.EXTENSION else 0,
            first_due_on=asked.first_due_on,
            rate_annual=lower,
        )
        request = ledger_pb.RestructureLoanRequest(
            request_id=f"preview-{measure}",
            loan_id=asked.loan_id,
            effective_on=asked.effective_on,
            instalments=option.instalments,
            first_due_on=option.first_due_on,
            rate_annual=option.rate_annual,
            reason="preview",
            approved_by="preview",
            kind=loan_pb2.Restructuring.Value(f"RESTRUCTURING_{measure}"),
            validate_only=True,
        )
        try:
            loan = await self.ledger.RestructureLoan(request)
        except LendingError as refused:
            if refused.retry:
                raise
            option.refusal = refused.reason
            return option
        _fill(option, loan)
        if budget is not None:
            option.affordable = self._said(budget, option.instalment_minor, asked.effective_on)
        return option

    def _said(self, budget: Budget, instalment_minor: int, on: str) -> str:
        strategy = self.desk.contacting.policies.strategy(date.fromisoformat(on))
        yes = affordability(budget, instalment_minor, strategy.affordable_share)
        return "yes" if yes else "no"

    async def previewed(
        self, loan_id: str, plan: Plan, request_id: str, currency: str = ""
    ) -> Plan:
        """
        Return a plan with what the ledger and risk say of it; the ledger's refusals are raised.

        What is above the house's share of what is left is not affordable, whatever risk says.
        """
        async with self.desk.records.work() as work:
            case = require_open(await work.get(Case, loan_id), loan_id)
        today = await self.ledger.GetBusinessDate(ledger_pb.GetBusinessDateRequest())
        if plan.measure is Measure.SETTLEMENT:
            same_currency(currency, case.currency, "settlement")
            on = date.fromisoformat(today.on)
            seen = await self.settling.previewed(case, plan, on)
            return msgspec.structs.replace(seen, assessed=NOT_JUDGED, proposed_on=on)
        request = _order(loan_id, plan, today.on)
        request.validate_only, request.approved_by = True, "preview"
        option = pb.HardshipOption()
        _fill(option, await self.ledger.RestructureLoan(request))
        on, minor = date.fromisoformat(today.on), option.instalment_minor
        strategy = self.desk.contacting.policies.strategy(on)
        said = Assessed(None, "")
        if plan.budget is not None:
            said = Assessed(False, strategy.version)
            if affordability(plan.budget, minor, strategy.affordable_share):
                said = await self.assessing.assess(request_id, case, plan.budget, minor, on)
        return msgspec.structs.replace(
            plan,
            instalment_minor=minor,
            affordable=said.affordable,
            assessed=said.why,
            proposed_on=on,
            probation_months=strategy.probation_months,
        )

    async def propose(self, work: Work, loan_id: str, plan: Plan) -> Case:
        """Propose a plan; the case's circumstances go into the trail."""

        def step(case: Case) -> Case:
            if case.plan is not None and case.plan.waits:
                raise PlanAlreadyOpen("a plan waits for approval", field="loan_id")
            number = case.plan.number + 1 if case.plan else 1
            return msgspec.structs.replace(case, plan=msgspec.structs.replace(plan, number=number))

        case = await self.desk.change(work, loan_id, step)
        await self._note(work, case, "PLAN_PROPOSED", plan.proposed_by)
        if plan.budget is not None and plan.affordable is None:
            await open_task(
                work, case, "ASSESS_PLAN", plan.proposed_on or case.last.effective_on, 2
            )
        return case

    async def withdraw(self, work: Work, loan_id: str, by: str) -> Case:
        """Withdraw the plan that waits for approval; another may be proposed."""
        case = await self.desk.change(
            work, loan_id, lambda case: msgspec.structs.replace(case, plan=withdrawn(case.plan))
        )
        await self._note(work, case, "PLAN_WITHDRAWN", by)
        return case

    async def approve(
        self, work: Work, loan_id: str, approved_by: str, effective_on: date, looked: str = ""
    ) -> Case:
        """Approve a plan and order it from the ledger; `looked` is what a person found."""

        def step(case: Case) -> Case:
            plan = approved(case.plan, approved_by, effective_on, looked)
            if plan.measure is Measure.SETTLEMENT:
                # Nothing follows in the ledger until the money comes.
                plan = agreed(plan)
            return msgspec.structs.replace(case, plan=plan)

        case = await self.desk.change(work, loan_id, step)
        assert case.plan is not None
        await self._note(work, case, "PLAN_APPROVED", approved_by)
        await take_back(self.desk, work, loan_id, effective_on, "a plan was approved")
        if looked:
            loan = (case.borrower_ref, loan_id)
            when = self.desk.stamp(effective_on)
            await trail.decided(work, loan, when, "PLAN_ASSESSED", approved_by, looked)
        if case.plan.is_agreed:
            await self.desk.keep(work, case, ["plan_approved"], f"plan.{case.plan.number}")
            return case
        request = _order(loan_id, case.plan, effective_on.isoformat())
        await self.orders.place(work, "plan", f"{loan_id}/{case.plan.number}", request)
        return case

    async def carry_out(self, loan_id: str) -> None:
        """Carry out what was ordered for the present plan of a loan, if it waits."""
        async with self.desk.records.work() as work:
            case = await work.get(Case, loan_id)
        if case is not None and case.plan is not None and case.plan.status == "APPROVING":
            await self.orders.carry_out(f"plan-{loan_id}-{case.plan.number}")

    async def settle(self, work: Work, plan_id: str, refusal: str) -> None:
        """Write down what the ledger did with an approved plan, named by loan and number."""
        loan_id, _, number = plan_id.partition("/")
        case = await self.desk.case(work, loan_id)
        if case is None or case.plan is None:
            raise CaseNotFound(f"loan {loan_id} has no plan", field="loan_id")
        if case.plan.status != "APPROVING" or number not in ("", str(case.plan.number)):
            return
        status = "REFUSED" if refusal else "APPROVED"
        plan = msgspec.structs.replace(case.plan, status=status, refusal=refusal)
        done = msgspec.structs.replace(case, plan=plan)
        about = f"plan.{plan.number}"
        await self.desk.keep(work, done, [f"plan_{status.lower()}"], about)

    async def _note(self, work: Work, case: Case, what: str, by: str) -> None:
        plan = case.plan
        assert plan is not None
        when = self.desk.stamp(case.last.effective_on)
        entry = trail.Entry(
            at=when.at,
            on=when.on,
            borrower_ref=case.borrower_ref,
            loan_id=case.loan_id,
            what=what,
            by=by,
            said=f"{plan.measure} {plan.circumstance}: {plan.reason}",
            name=f"plan {plan.number}",
        )
        await trail.write(work, entry)


def _order(loan_id: str, plan: Plan, effective_on: str) -> ledger_pb.RestructureLoanRequest:
    return ledger_pb.RestructureLoanRequest(
        request_id=f"plan-{loan_id}-{plan.number}",
        loan_id=loan_id,
        effective_on=effective_on,
        instalments=plan.instalments,
        first_due_on=plan.first_due_on.isoformat(),
        rate_annual=plan.rate_annual,
        # Not the borrower's own words: what is in the ledger can never be taken back.
        reason=f"hardship plan {plan.number}",
        approved_by=plan.approved_by,
        kind=loan_pb2.Restructuring.Value(f"RESTRUCTURING_{plan.measure}"),
    )


def _fill(option: pb.HardshipOption, loan: loan_pb2.Loan) -> None:
    """Write down what the ledger's effects mean for the borrower."""
    rows: Sequence[loan_pb2.InstalmentChange] = loan.effects.instalments
    after = [row.unpaid_after_minor for row in rows]
    option.instalment_minor = max(
        (row.principal_due_after_minor + row.interest_due_after_minor for row in rows), default=0
    )
    option.to_pay_minor = sum(after)
    option.to_pay_before_minor = sum(row.unpaid_before_minor for row in rows)
    option.days_past_due = loan.effects.after.days_past_due
