"""Money out exactly once, whatever dies in between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import structlog
from lending.common.v1 import money_pb2
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb

from services.origination import wire
from services.origination.application.contracting import matures_on
from services.origination.application.desk import SERVICE, Desk
from services.origination.application.offering import cost_of
from services.origination.application.ports import PayoutOrder, Payouts
from services.origination.domain import conditions
from services.origination.domain.application import Application, Payout, noted, stepped
from services.origination.domain.state_machine import Status, Step, require
from shared.kernel.errors import LendingError, Refused


class DisclosureOutOfDate(Refused):
    """Paid out today the loan would cost more than was disclosed."""


@dataclass(slots=True)
class Disbursing:
    """
    Carries payouts to their end.

    An intention is stored first, then come calls that may be repeated with the same id, then the
    end is stored: killed anywhere, the intention is found again and carried out once.
    """

    desk: Desk
    payouts: Payouts

    async def disburse(self, application_id: str) -> Application:
        """
        Pay an accepted contract out; a crash in between is finished later, never repeated.

        Raises:
            ConditionsOutstanding, DisclosureOutOfDate, StepOutOfOrder
        """
        found = await self.desk.load(application_id)
        if found.status is Status.DISBURSED:
            return found
        if found.status is not Status.DISBURSING:
            await self._intend(found)
        return await self.finish(application_id)

    async def _intend(self, found: Application) -> None:
        require(found.status, Step.DISBURSE)
        today = await self.desk.today(found)
        await self.desk.expire(found, today)
        product, terms = self.desk.product(found), wire.terms_of(found)
        conditions.refuse(
            conditions.payout_conditions(found, product, today, matures_on(found)), "disburse"
        )
        total = cost_of(await self.desk.preview(terms, today)).total_payable_minor
        disclosed = found.offer.total_payable_minor if found.offer else total
        if total > disclosed:
            raise DisclosureOutOfDate(
                f"paid out on {today} the loan would cost {total}, not {disclosed}",
                expected="a disclosure of today",
            )
        payout = Payout(
            payout_id=f"payout-{found.application_id}-{len(found.payouts) + 1}",
            account_ref=found.account_ref,
            amount_minor=terms.principal_minor,
            value_on=today,
        )
        stamp = self.desk.stamp()

        def step(now: Application) -> Application:
            if now.status is Status.DISBURSING:
                return now
            payouts = (*now.payouts, payout)
            return stepped(
                now, Step.DISBURSE, Status.DISBURSING, stamp, payout.payout_id, payouts=payouts
            )

        await self.desk.change(found.application_id, step)

    async def finish(self, application_id: str) -> Application:
        """Carry a payout to its end: the account opened, the money sent, the ledger told."""
        found = await self.desk.load(application_id)
        if found.status is not Status.DISBURSING:
            return found
        payout = found.payouts[-1]
        if not payout.sent:
            try:
                await self._open(found, payout)
            except Refused as refusal:
                return await self._returned(application_id, payout, f"ledger: {refusal.reason}")
            payout = await self._note(application_id, "send", payout, sent=True)
        if not payout.reference:
            answer = await self.payouts.pay(_order(found, payout))
            if answer.returned:
                return await self._returned(application_id, payout, answer.returned)
            payout = await self._note(application_id, "sent", payout, reference=answer.reference)
        await self.desk.ledger.DisburseLoan(_disburse(found, payout))
        return await self._paid(application_id, payout)

    async def _open(self, found: Application, payout: Payout) -> None:
        """Open the loan, and ask whether the ledger would take its disbursal."""
        await self.desk.ledger.OpenLoan(
            ledger_pb.OpenLoanRequest(
                request_id=f"open-{found.application_id}",
                loan_id=found.loan_id,
                borrower_ref=found.borrower_ref,
                product=found.product,
                terms=wire.terms_of(found),
            )
        )
        await self.desk.ledger.DisburseLoan(_disburse(found, payout, validate_only=True))

    async def _note(self, application_id: str, what: str, payout: Payout, **changes: Any) -> Payout:
        """Store how far a payout has come; what is stored already stays."""
        stamp, further = self.desk.stamp(SERVICE), msgspec.structs.replace(payout, **changes)

        def step(now: Application) -> Application:
            if not _stands(now, payout):
                return now
            payouts = (*now.payouts[:-1], further)
            return noted(now, what, stamp, further.reference or payout.payout_id, payouts=payouts)

        await self.desk.change(application_id, step)
        return further

    async def _paid(self, application_id: str, payout: Payout) -> Application:
        stamp = self.desk.stamp(SERVICE)

        def step(now: Application) -> Application:
            if not _stands(now, payout):
                return now
            days = self.desk.product(now).cooling_off_days
            until = payout.value_on + timedelta(days=days) if days else None
            changes = {"cooling_off_until_on": until}
            return stepped(now, Step.PAY, Status.DISBURSED, stamp, payout.payout_id, **changes)

        return await self.desk.change(application_id, step)

    async def _returned(self, application_id: str, payout: Payout, why: str) -> Application:
        stamp, back = self.desk.stamp(SERVICE), msgspec.structs.replace(payout, returned=why)

        def step(now: Application) -> Application:
            if not _stands(now, payout):
                return now
            payouts = (*now.payouts[:-1], back)
            return stepped(now, Step.RETURN, Status.PAYOUT_RETURNED, stamp, why, payouts=payouts)

        return await self.desk.change(application_id, step)

    async def resume(self) -> None:
        """Finish what a crash or an outage interrupted."""
        await resume(self.desk, Status.DISBURSING, self.finish)


async def resume(
    desk: Desk, status: Status, finish: Callable[[str], Awaitable[Application]]
) -> None:
    """Finish every application that stands at a status; what cannot be finished now waits."""
    async with desk.records.work() as work:
        left = await work.find(Application, state=str(status), limit=1000)
    for application in left:
        try:
            await finish(application.application_id)
        except LendingError as refusal:
            name = application.application_id
            structlog.get_logger().warning("money waits", id=name, why=refusal.reason)


def money(amount_minor: int, currency: str) -> Any:
    """Return an amount as the contracts carry it."""
    return money_pb2.Money(amount_minor=amount_minor, currency=currency)


def _disburse(found: Application, payout: Payout, *, validate_only: bool = False) -> Any:
    return ledger_pb.DisburseLoanRequest(
        request_id=f"disburse-{found.application_id}",
        loan_id=found.loan_id,
        value_on=payout.value_on.isoformat(),
        amount=money(payout.amount_minor, found.currency),
        validate_only=validate_only,
    )


def _order(found: Application, payout: Payout) -> PayoutOrder:
    return PayoutOrder(
        payout.payout_id,
        payout.account_ref,
        payout.amount_minor,
        found.currency,
        payout.value_on,
    )


def _stands(now: Application, payout: Payout) -> bool:
    """Say whether a payout stands as it was read: nobody else has carried it further."""
    return now.status is Status.DISBURSING and now.payouts[-1] == payout
