"""The cooling-off period: a loan given back without a reason, and closed in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application.desk import APPLICANT, SERVICE, Desk
from services.origination.application.disbursing import money, resume
from services.origination.domain.application import Application, stepped
from services.origination.domain.state_machine import Status, Step, require
from shared.kernel.errors import InvalidArgument, Refused
from shared.runtime.requests import an_amount, an_id


class CoolingOffIsOver(Refused):
    """The days in which the loan may be given back have passed."""


class AmountNotOwed(InvalidArgument):
    """What is given back is exactly what is owed."""


@dataclass(slots=True)
class Cancelling:
    """Carries cancellations to their end, as payouts are: stored first, then repeated safely."""

    desk: Desk

    async def cancel(self, request: pb.CancelLoanRequest) -> Application:
        """
        Take a loan back within its cooling-off days.

        Raises:
            CoolingOffIsOver, AmountNotOwed, StepOutOfOrder
        """
        application_id = an_id(request.application_id, "application_id")
        found = await self.desk.load(application_id)
        if found.status is Status.CANCELLED:
            return found
        if found.status is not Status.CANCELLING:
            await self._intend(found, request)
        return await self.finish(application_id)

    async def _intend(self, found: Application, request: pb.CancelLoanRequest) -> None:
        require(found.status, Step.CANCEL)
        today = await self.desk.today(found)
        until = found.cooling_off_until_on
        if until is None or today > until:
            raise CoolingOffIsOver(
                f"the loan could be given back until {until or 'its payout'}", on=today
            )
        owed = await self._owed(found, today)
        amount = an_amount(request.amount, "amount")
        if (amount, request.amount.currency) != (owed, found.currency):
            raise AmountNotOwed(
                f"{amount} {request.amount.currency} is given, {owed} {found.currency} is owed",
                field="amount",
                expected=f"{owed} {found.currency} minor units",
                owed_minor=owed,
            )
        stamp = self.desk.stamp(APPLICANT)

        def step(now: Application) -> Application:
            if now.status is Status.CANCELLING:
                return now
            changes = {"cancelled_on": today, "cancelled_minor": owed}
            return stepped(now, Step.CANCEL, Status.CANCELLING, stamp, str(owed), **changes)

        await self.desk.change(found.application_id, step)

    async def _owed(self, found: Application, on: date) -> int:
        loan = await self.desk.ledger.GetLoan(
            ledger_pb.GetLoanRequest(loan_id=found.loan_id, effective_on=on.isoformat())
        )
        interest_owed = self.desk.product(found).cooling_off_interest_owed
        return int(loan.payoff_minor if interest_owed else loan.principal_outstanding_minor)

    async def finish(self, application_id: str) -> Application:
        """Carry a cancellation to its end."""
        found = await self.desk.load(application_id)
        if found.status is not Status.CANCELLING:
            return found
        assert found.cancelled_on is not None
        await self.desk.ledger.SettleLoan(
            ledger_pb.SettleLoanRequest(
                request_id=f"cancel-{application_id}",
                loan_id=found.loan_id,
                value_on=found.cancelled_on.isoformat(),
                amount=money(found.cancelled_minor, found.currency),
                reason="given back in the cooling-off period",
                approved_by=found.policy_version,
            )
        )
        stamp = self.desk.stamp(SERVICE)

        def step(now: Application) -> Application:
            if now.status is not Status.CANCELLING:
                return now
            return stepped(now, Step.SETTLE, Status.CANCELLED, stamp)

        return await self.desk.change(application_id, step)

    async def resume(self) -> None:
        """Finish what a crash or an outage interrupted."""
        await resume(self.desk, Status.CANCELLING, self.finish)
