"""Settlements: previewed in the ledger, agreed by two, met by money that lets the rest go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import msgspec
from lending.collections.v1 import collections_service_pb2 as pb
from lending.common.v1 import money_pb2
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb

from services.collections.application import trail
from services.collections.application.desk import Desk
from services.collections.application.orders import Orders
from services.collections.application.ports import Ledger
from services.collections.domain import settlement as domain
from services.collections.domain.case import Case, CaseNotFound
from services.collections.domain.currency import same_currency
from services.collections.domain.hardship import Measure, Plan
from shared.kernel.errors import LendingError
from shared.runtime.records import Work


def a_settlement(minor: int, last_on: str) -> Plan:
    """Return a settlement that nobody has proposed yet."""
    return Plan(
        status="PROPOSED",
        measure=Measure.SETTLEMENT,
        instalments=1,
        first_due_on=date.fromisoformat(last_on),
        rate_annual="0",
        reason="preview",
        proposed_by="preview",
        number=0,
        settlement_minor=minor,
    )


NOT_JUDGED = "a single sum is not judged by a month"


@dataclass(slots=True)
class Settling:
    """Settlements by case."""

    desk: Desk
    orders: Orders
    ledger: Ledger

    async def option(
        self, case: Case, asked: pb.PreviewHardshipOptionsRequest
    ) -> pb.HardshipOption:
        """Say what a sum as full settlement would do."""
        option = pb.HardshipOption(
            measure=pb.MEASURE_SETTLEMENT, instalments=1, first_due_on=asked.first_due_on
        )
        on, minor = date.fromisoformat(asked.effective_on), asked.settlement.amount_minor
        same_currency(asked.settlement.currency, case.currency, "settlement")
        try:
            plan = await self.previewed(case, a_settlement(minor, asked.first_due_on), on)
        except LendingError as refused:
            if refused.retry:
                raise
            option.refusal = refused.reason
            return option
        option.instalment_minor = option.to_pay_minor = minor
        option.let_go_minor = plan.let_go_minor
        option.to_pay_before_minor = minor + plan.let_go_minor
        return option

    async def previewed(self, case: Case, plan: Plan, on: date) -> Plan:
        """
        Return a settlement with what it would let go of on a day; the ledger's refusals are raised.

        Raises:
            AmountCurrencyDiffers, SettlementTooLow
        """
        asked = ledger_pb.GetLoanRequest(loan_id=case.loan_id, effective_on=on.isoformat())
        loan = await self.ledger.GetLoan(asked)
        least = self.desk.contacting.policies.strategy(on).settlement_share_least
        seen = domain.offered(plan, loan.payoff_minor, least)
        tried = _order(case, seen, on, seen.settlement_minor)
        tried.validate_only, tried.approved_by = True, "preview"
        await self.ledger.SettleLoan(tried)
        return msgspec.structs.replace(seen, instalment_minor=plan.settlement_minor)

    async def take(self, work: Work, loan_id: str, value_on: date, amount: money_pb2.Money) -> Case:
        """Order the money of a settlement into the ledger, as full settlement."""
        case = await self.desk.case(work, loan_id)
        if case is None:
            raise CaseNotFound(f"loan {loan_id} has no case", field="loan_id")
        same_currency(amount.currency, case.currency, "amount")
        plan = domain.taken(case.plan, value_on, amount.amount_minor)
        case = msgspec.structs.replace(case, plan=plan)
        await self.desk.keep(work, case, [])
        request = _order(case, plan, value_on, amount.amount_minor)
        await self.orders.place(work, "settlement", f"{loan_id}/{plan.number}", request)
        loan, said = (case.borrower_ref, loan_id), f"{amount.amount_minor} of {value_on}"
        await trail.decided(
            work, loan, self.desk.stamp(value_on), "SETTLEMENT_TAKEN", plan.approved_by, said
        )
        return case

    async def carry_out(self, loan_id: str) -> None:
        """Carry out what was ordered for the settlement of a loan, if it waits."""
        async with self.desk.records.work() as work:
            case = await work.get(Case, loan_id)
        if case is not None and case.plan is not None and case.plan.status == "SETTLING":
            await self.orders.carry_out(_order_id(case, case.plan))

    async def settle(self, work: Work, plan_id: str, refusal: str) -> None:
        """Write down what the ledger did with the money, for a plan named by loan and number."""
        loan_id, _, number = plan_id.partition("/")
        case = await self.desk.case(work, loan_id)
        if case is None or case.plan is None or case.plan.status != "SETTLING":
            return
        assert number == str(case.plan.number)
        plan = domain.settled(case.plan, refusal)
        done = msgspec.structs.replace(case, plan=plan)
        happened = [] if refusal else ["plan_completed"]
        await self.desk.keep(work, done, happened, f"settlement.{plan.number}")


def _order(case: Case, plan: Plan, on: date, amount_minor: int) -> ledger_pb.SettleLoanRequest:
    return ledger_pb.SettleLoanRequest(
        request_id=_order_id(case, plan),
        loan_id=case.loan_id,
        value_on=on.isoformat(),
        amount=money_pb2.Money(currency=case.currency, amount_minor=amount_minor),
        # Not the borrower's own words: what is in the ledger can never be taken back.
        reason=f"settlement, hardship plan {plan.number}",
        approved_by=plan.approved_by,
    )


def _order_id(case: Case, plan: Plan) -> str:
    """Return the id of what is ordered; a try that the ledger refused and the next are two."""
    return f"settle-{trail.key_of(case.loan_id)}-{plan.number}-{plan.tries}"
