"""Loans given back, by the borrower in the cooling-off days or by the bank, and closed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application import names
from services.origination.application.desk import APPLICANT, SERVICE, Desk, Prepared
from services.origination.application.orders import money
from services.origination.domain.application import Application, noted, stepped
from services.origination.domain.payouts import (
    Payout,
    PayoutInParts,
    PayoutNotFound,
    paid_before,
)
from services.origination.domain.proposals import Proposal, is_seconded
from services.origination.domain.state_machine import Status, Step, require
from shared.kernel.errors import InvalidArgument, Refused
from shared.runtime.identity import actor
from shared.runtime.requests import a_number, a_text, an_amount, an_identity

REASON_MAX = 100
UNDER_WAY = {Status.CANCELLING, Status.CANCELLED}


class CoolingOffIsOver(Refused):
    """The days in which the loan may be given back have passed."""


class AmountNotOwed(InvalidArgument):
    """What is given back is exactly what is owed."""


class NothingIsOwed(Refused):
    """The borrower has given everything back already: nothing is left to cancel."""


@dataclass(slots=True)
class Cancelling:
    """Carries cancellations to their end, as payouts are: stored first, then repeated safely."""

    desk: Desk

    async def cancel(self, request: pb.CancelLoanRequest) -> pb.Application:
        """
        Take a loan back within its cooling-off days.

        Raises:
            CoolingOffIsOver, AmountNotOwed, StepOutOfOrder
        """

        async def intend(found: Application) -> Prepared:
            if found.status in UNDER_WAY:
                return Prepared(found)
            return await self._intend(found, request)

        begun = await self.desk.begin(request, "CancelLoan", intend)
        if request.validate_only:
            return begun
        return self.desk.message(await self.finish(request.application_id))

    async def _intend(self, found: Application, request: pb.CancelLoanRequest) -> Prepared:
        require(found.status, Step.CANCEL)
        today = await self.desk.today(found)
        until = found.cooling_off_until_on
        if until is None or today > until:
            raise CoolingOffIsOver(
                f"the loan could be given back until {until or 'its payout'}",
                field="application_id",
                expected=f"by {until}" if until else "no step; the product has no such days",
                on=today,
            )
        owed, over = await self._owed(found, today)
        if owed is None:
            raise NothingIsOwed(
                f"what was repaid of {found.loan_id} is all that is owed, or more",
                field="application_id",
                expected="no step; what was paid above it people pay back",
            )
        amount = an_amount(request.amount, "amount", positive=owed > 0)
        if (amount, request.amount.currency) != (owed, found.currency):
            raise AmountNotOwed(
                f"{amount} {request.amount.currency} is given, {owed} {found.currency} is owed",
                field="amount",
                expected=f"{owed} {found.currency} minor units",
                owed_minor=owed,
            )
        stamp = self.desk.stamp(APPLICANT)
        changes: dict[str, Any] = {"cancelled_on": today}
        changes |= {"cancelled_minor": owed, "cancellation_id": _next_id(found)}
        note = f"{owed}; {over} is to be paid back" if over else str(owed)
        after = stepped(found, Step.CANCEL, Status.CANCELLING, stamp, note, **changes)
        return Prepared(after)

    async def _owed(self, found: Application, on: date) -> tuple[int | None, int]:
        """
        Return what gives the loan back: the payoff, or the principal less all repaid.

        Returns:
            That, None where nothing is owed any more; and what was repaid above it.
        """
        loan = await self.desk.ledger.GetLoan(
            ledger_pb.GetLoanRequest(loan_id=found.loan_id, effective_on=on.isoformat())
        )
        if not loan.payoff_minor:
            return None, 0
        if self.desk.product(found).cooling_off_interest_owed:
            return int(loan.payoff_minor), 0
        beside = sum(
            row.interest_paid_minor + row.penalty_paid_minor + row.charges_paid_minor
            for row in loan.instalments
        )
        left = int(loan.principal_outstanding_minor) - beside
        return max(0, left), max(0, -left)

    async def give_back(self, request: pb.ReturnPayoutRequest) -> pb.Application:
        """
        Take in that the bank has sent a payout back after it had paid.

        Raises:
            PayoutNotFound, PayoutInParts, ProposerIsTheSame, StepOutOfOrder
        """
        named = an_identity(request.returned_by, "returned_by") if request.returned_by else ""
        by, why = actor(named, field="returned_by"), a_text(request.reason[:101], "reason")
        a_number(len(why), "reason", 1, REASON_MAX)

        async def intend(found: Application) -> Prepared:
            last = found.payouts[-1] if found.payouts else None
            if last is None or last.payout_id != request.payout_id:
                raise PayoutNotFound(
                    f"no payout {request.payout_id[:64]!r}",
                    field="payout_id",
                    expected=last.payout_id if last else "a payout; there is none yet",
                )
            if found.status in UNDER_WAY and last.returned:
                return Prepared(found)
            return await self._intend_return(found, last, why, by)

        begun = await self.desk.begin(request, "ReturnPayout", intend)
        if request.validate_only:
            return begun
        return self.desk.message(await self.finish(request.application_id))

    async def _intend_return(
        self, found: Application, payout: Payout, why: str, by: str
    ) -> Prepared:
        if found.status is not Status.DISBURSED:
            require(found.status, Step.CANCEL)
        if payout.lent_minor != payout.amount_minor or paid_before(found.payouts):
            raise PayoutInParts(
                f"{payout.payout_id} is not all of {found.loan_id}",
                field="payout_id",
                expected="a loan that was paid out by one order; else a repayment in the ledger",
            )
        stamp, said = self.desk.stamp(by), payout.payout_id
        if not is_seconded(found.proposal, Step.RETURN, said, by):
            waits = Proposal(what=Step.RETURN, value=said, by=by, at=stamp.at)
            note = f"{payout.payout_id}: {why}"
            return Prepared(noted(found, "propose-return", stamp, note, proposal=waits))
        assert found.proposal is not None
        back = msgspec.structs.replace(payout, returned=why)
        changes: dict[str, Any] = {"payouts": (*found.payouts[:-1], back), "proposal": None}
        changes |= {"cancelled_on": await self.desk.today(found)}
        changes |= {"cancelled_minor": payout.amount_minor, "cancellation_id": _next_id(found)}
        changes |= {"cancelled_by": f"{found.proposal.by}, {by}"}
        return Prepared(stepped(found, Step.RETURN, Status.CANCELLING, stamp, why, **changes))

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
            await self._tell(found)
        except (Refused, InvalidArgument) as refusal:
            note = f"ledger: {refusal.reason}"
            last = msgspec.structs.replace(found.payouts[-1], returned="")
            changes = {"payouts": (*found.payouts[:-1], last), "cancelled_by": ""}
            after = stepped(found, Step.REOPEN, Status.DISBURSED, stamp, note, **changes)
            await self.desk.swap(found, after)
            raise
        return await self.desk.swap(found, stepped(found, Step.SETTLE, Status.CANCELLED, stamp))

    async def _tell(self, found: Application) -> None:
        """Tell the ledger which end it is: money from the borrower, or the payout itself."""
        returned, end = found.payouts[-1].returned if found.payouts else "", _end(found)
        if returned and found.cancellation_id:
            back = ledger_pb.ReturnDisbursementRequest(**end, reason=returned)
            await self.desk.ledger.ReturnDisbursement(back)
            return
        # What was begun before the ledger knew of returns is asked for in the same words again.
        why = "sent back by the bank" if returned else "given back in the cooling-off period"
        await self.desk.ledger.SettleLoan(ledger_pb.SettleLoanRequest(**end, reason=why))

    async def resume(self) -> None:
        """Finish what a crash or an outage interrupted."""
        await self.desk.resume(Status.CANCELLING, self.finish)


def _times(found: Application) -> int:
    """Return how often a cancellation has begun."""
    ends = (Step.CANCEL, Step.RETURN)
    return sum(line.step in ends and line.status == Status.CANCELLING for line in found.trail)


def _next_id(found: Application) -> str:
    return names.cancellation_id(found.application_id, _times(found) + 1)


def _end(found: Application) -> dict[str, Any]:
    """Return what closes the loan; each cancellation has an id of its own."""
    assert found.cancelled_on is not None
    older = names.older_cancellation_id(found.application_id, _times(found))
    return dict(
        request_id=found.cancellation_id or older,
        loan_id=found.loan_id,
        value_on=found.cancelled_on.isoformat(),
        amount=money(found.cancelled_minor, found.currency),
        approved_by=found.cancelled_by or found.policy_version,
    )
