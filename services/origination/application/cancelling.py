"""The cooling-off period: a loan given back without a reason, and closed in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application.desk import APPLICANT, SERVICE, Desk
from services.origination.application.disbursing import money
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

        async def intend(found: Application) -> Application:
            if found.status in (Status.CANCELLED, Status.CANCELLING):
                return found
            return await self._intend(found, request)

        await self.desk.carry(application_id, intend)
        return await self.finish(application_id)

    async def _intend(self, found: Application, request: pb.CancelLoanRequest) -> Application:
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
        stamp, changes = self.desk.stamp(APPLICANT), {"cancelled_on": today}
        changes |= {"cancelled_minor": owed}
        after = stepped(found, Step.CANCEL, Status.CANCELLING, stamp, str(owed), **changes)
        return await self.desk.swap(found, after)

    async def _owed(self, found: Application, on: date) -> int:
        """Return what gives the loan back: the payoff, or the principal less all repaid."""
        loan = await self.desk.ledger.GetLoan(
            ledger_pb.GetLoanRequest(loan_id=found.loan_id, effective_on=on.isoformat())
        )
        if self.desk.product(found).cooling_off_interest_owed:
            return int(loan.payoff_minor)
        beside = sum(
            row.interest_paid_minor + row.penalty_paid_minor + row.charges_paid_minor
            for row in loan.instalments
        )
        return max(0, int(loan.principal_outstanding_minor) - beside)

    async def finish(self, application_id: str) -> Application:
        """
        Carry a cancellation to its end; what the ledger refuses leads back to the loan.

        Raises:
            Refused: as the ledger did; the loan stands as it was paid out.
        """
        return await self.desk.carry(application_id, self._finish)

    async def _finish(self, found: Application) -> Application:
        if found.status is not Status.CANCELLING:
            return found
        stamp = self.desk.stamp(SERVICE)
        try:
            await self.desk.ledger.SettleLoan(_settle(found))
        except (Refused, InvalidArgument) as refusal:
            note = f"ledger: {refusal.reason}"
            after = stepped(found, Step.REOPEN, Status.DISBURSED, stamp, note)
            await self.desk.swap(found, after)
            raise
        return await self.desk.swap(found, stepped(found, Step.SETTLE, Status.CANCELLED, stamp))

    async def resume(self) -> None:
        """Finish what a crash or an outage interrupted."""
        await self.desk.resume(Status.CANCELLING, self.finish)


def _settle(found: Application) -> ledger_pb.SettleLoanRequest:
    """Return what closes the loan; each cancellation has an id of its own."""
    assert found.cancelled_on is not None
    times = sum(line.step == Step.CANCEL for line in found.trail)
    return ledger_pb.SettleLoanRequest(
        request_id=f"cancel-{found.application_id}" + (f"-{times}" if times > 1 else ""),
        loan_id=found.loan_id,
        value_on=found.cancelled_on.isoformat(),
        amount=money(found.cancelled_minor, found.currency),
        reason="given back in the cooling-off period",
        approved_by=found.policy_version,
    )
