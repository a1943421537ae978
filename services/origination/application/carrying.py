"""Orders carried to their end, whatever dies in between: paid, booked, and told of once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from services.origination.application import names
from services.origination.application.booked import ID_REUSED, booked_on, made_void
from services.origination.application.dating import dated
from services.origination.application.desk import SERVICE, Desk
from services.origination.application.orders import disbursal, opening, order, rest_order
from services.origination.application.ports import (
    PayerRefuses,
    PayoutAnswer,
    PayoutOrder,
    Payouts,
)
from services.origination.application.refinancing import (
    LoanNotRefinanced,
    pay_off,
    put_back,
    would_pay_off,
)
from services.origination.domain.application import (
    Application,
    is_over,
    noted,
    stepped,
)
from services.origination.domain.disclosure import DisclosureOutOfDate
from services.origination.domain.payouts import Payout, RefinancingTooSmall, paid_before
from services.origination.domain.state_machine import (
    ApplicationIsExpired,
    Status,
    Step,
    StepOutOfOrder,
)
from shared.kernel.errors import InvalidArgument, LendingError, Refused


@dataclass(slots=True)
class Carrying:
    """
    Carries payouts to their end.

    An intention is stored first, then come calls that may be repeated with the same id, then the
    end is stored: killed anywhere, the intention is found again and carried out once.
    """

    desk: Desk
    payouts: Payouts

    async def finish(self, application_id: str) -> Application:
        """Carry a payout to its end: the account opened, the money sent, the ledger told."""
        return await self.desk.carry(application_id, self._finish)

    async def _finish(self, found: Application) -> Application:
        spoken_of = found.proposal is not None and found.proposal.what == Step.RESOLVE
        # What one person has said of stays as it is until a second says so: nobody asks meanwhile.
        if found.status is not Status.DISBURSING or found.payouts[-1].stopped or spoken_of:
            return found
        try:
            taken_back = bool(found.payouts[-1].returned)
            return await (self._taken_back(found) if taken_back else self._carried(found))
        except PayerRefuses:
            return await self.desk.load(found.application_id)

    async def _carried(self, found: Application) -> Application:
        if not found.payouts[-1].sent:
            try:
                found = await self._today(found)
                await self._open(found, found.payouts[-1])
            except (Refused, InvalidArgument) as refusal:
                return await self._returned(found, f"{_by(refusal)}: {refusal.reason}")
            found = await self._note(found, "send", sent=True)
        payout = found.payouts[-1]
        if not payout.reference:
            answer = await self._asked(found, order(found, payout))
            if answer.returned:
                return await self._returned(found, answer.returned)
            paid_on = await self.desk.today(found)
            found = await self._note(found, "sent", reference=answer.reference, paid_on=paid_on)
        found = await self._refinanced(await self._disbursed(found))
        return await self._paid(found, found.payouts[-1])

    async def _taken_back(self, found: Application) -> Application:
        """End an order whose money people say was taken back, unless the ledger was first."""
        payout, name = found.payouts[-1], names.disbursal_id_of(found)
        if await made_void(self.desk, name, found.loan_id):
            return await self._returned(found, payout.returned)
        return await self._carried(await self._note(found, "booked", name, returned=""))

    async def _by_hand(
        self, found: Application, what: str, request_id: str, loan_id: str, **booked: Any
    ) -> Application:
        """Have the ledger not book as well what people dealt with; what it has booked counts."""
        name = f"{what}_by_hand"
        if not getattr(found.payouts[-1], name) or await made_void(self.desk, request_id, loan_id):
            return found
        return await self._note(found, "booked", request_id, **{name: ""}, **booked)

    async def _disbursed(self, found: Application) -> Application:
        """
        Tell the ledger of what was paid, unless people had it booked.

        Raises:
            Refused, InvalidArgument: as the ledger did; asked again, and people see it.
        """
        name = names.disbursal_id_of(found)
        found = await self._by_hand(found, "disbursal", name, found.loan_id)
        payout = found.payouts[-1]
        if payout.disbursal_by_hand:
            return found
        try:
            await self.desk.ledger.DisburseLoan(disbursal(found))
        except (Refused, InvalidArgument) as refusal:
            # Asked for another day it may be there already: a call that was on its way came first.
            late = refusal.reason == ID_REUSED
            on = await booked_on(self.desk, found) if late else None
            if on is not None:
                return await self._note(found, "booked", name, value_on=on, disbursal_refused="")
            await self._refused(found, "disbursal", refusal)
            raise
        if not payout.disbursal_refused:
            return found
        return await self._note(found, "booked", disbursal_refused="")

    async def _asked(self, found: Application, given: PayoutOrder) -> PayoutAnswer:
        """
        Have an order paid.

        Raises:
            PayerRefuses: for good; it is not asked again until people say what becomes of it.
        """
        try:
            return await self.payouts.pay(given)
        except PayerRefuses as refusal:
            await self._note(found, "stop", refusal.message, stopped=refusal.message)
            raise

    async def _today(self, found: Application) -> Application:
        """Date an order that nobody has yet today: interest begins when the money goes."""
        today, payout = await self.desk.today(found), found.payouts[-1]
        if today <= payout.value_on:
            return found
        if is_over(found, today) and not paid_before(found.payouts):
            raise ApplicationIsExpired(
                f"it was valid until {found.valid_until_on}",
                field="application_id",
                expected=f"by {found.valid_until_on}",
                on=today,
            )
        order_of_today = await dated(self.desk, found, payout, today)
        stamp, payouts = self.desk.stamp(SERVICE), (*found.payouts[:-1], order_of_today)
        after = noted(found, "redate", stamp, str(today), payouts=payouts)
        return await self.desk.swap(found, after)

    async def _refinanced(self, found: Application) -> Application:
        """Pay off the loan that is refinanced; what it does not need by now goes out as well."""
        name = names.payoff_id(found.application_id, found.payouts[-1].payoff_minor)
        found = await self._by_hand(found, "payoff", name, found.refinances)
        payout = found.payouts[-1]
        while payout.payoff_minor and not payout.payoff_by_hand:
            try:
                paid = await pay_off(self.desk, found, payout)
            except (Refused, InvalidArgument) as refusal:
                await self._refused(found, "payoff", refusal)
                raise
            if paid.amount_minor == payout.payoff_minor:
                break
            rest = payout.rest_minor + payout.payoff_minor - paid.amount_minor
            changes = {"payoff_minor": paid.amount_minor, "rest_minor": rest}
            found = await self._note(found, "payoff", f"ledger: {paid.why}", **changes)
            payout = found.payouts[-1]
        if payout.rest_minor and not payout.rest_reference and not payout.rest_returned:
            answer = await self._asked(found, rest_order(found, payout))
            if not answer.returned:
                return await self._note(found, "rest", rest_reference=answer.reference)
            why = answer.returned
            found = await self._note(found, "rest-returned", why, rest_returned=why)
        return await self._put_back(found)

    async def _put_back(self, found: Application) -> Application:
        """
        Repay the new loan with a rest that came back; asked again until the ledger takes it.

        Raises:
            Refused, InvalidArgument: as the ledger did; the trail and the payout say so.
        """
        name, back = names.rest_id(found.payouts[-1]), {"rest_repaid": True}
        found = await self._by_hand(found, "rest", name, found.loan_id, **back)
        payout = found.payouts[-1]
        if not payout.rest_returned or payout.rest_repaid or payout.rest_by_hand:
            return found
        try:
            await put_back(self.desk, found, payout)
        except (Refused, InvalidArgument) as refusal:
            await self._refused(found, "rest", refusal)
            raise
        return await self._note(found, "rest-repaid", rest_repaid=True, rest_refused="")

    async def _refused(self, found: Application, what: str, refusal: LendingError) -> None:
        """Keep why the ledger does not book something; people see it, and may say what to do."""
        name, why = f"{what}_refused", refusal.reason
        if getattr(found.payouts[-1], name) != why:
            await self._note(found, f"{what}-refused", f"ledger: {why}", **{name: why})

    async def _open(self, found: Application, payout: Payout) -> None:
        """Open the loan, and ask whether the ledger would take its disbursal."""
        await self.desk.ledger.OpenLoan(opening(found))
        await self.desk.ledger.DisburseLoan(disbursal(found, validate_only=True))
        await would_pay_off(self.desk, found, payout)

    async def _note(
        self, found: Application, what: str, note: str = "", **changes: Any
    ) -> Application:
        """Store how far the payout has come, unless another has carried it further."""
        payout = msgspec.structs.replace(found.payouts[-1], **changes)
        payouts, said = (*found.payouts[:-1], payout), payout.reference or payout.payout_id
        after = noted(found, what, self.desk.stamp(SERVICE), note or said, payouts=payouts)
        return await self.desk.swap(found, after)

    async def _paid(self, found: Application, payout: Payout) -> Application:
        days, stamp = self.desk.product(found).cooling_off_days, self.desk.stamp(SERVICE)
        since = max(payout.value_on, payout.paid_on or payout.value_on)
        until = since + timedelta(days=days) if days else None
        changes = {"cooling_off_until_on": found.cooling_off_until_on or until}
        after = stepped(found, Step.PAY, Status.DISBURSED, stamp, payout.payout_id, **changes)
        return await self.desk.swap(found, after)

    async def _returned(self, found: Application, why: str) -> Application:
        payout = msgspec.structs.replace(found.payouts[-1], returned=why)
        stamp, payouts = self.desk.stamp(SERVICE), (*found.payouts[:-1], payout)
        status = found.status_once_returned
        after = stepped(found, Step.RETURN, status, stamp, why, payouts=payouts)
        return await self.desk.swap(found, after)

    async def resume(self) -> None:
        """Finish what a crash or an outage interrupted."""
        await self.desk.resume(Status.DISBURSING, self.finish)


def _by(refusal: LendingError) -> str:
    """Say whose refusal it is that kept an order from being sent."""
    ours = (StepOutOfOrder, DisclosureOutOfDate, RefinancingTooSmall, LoanNotRefinanced)
    return "origination" if isinstance(refusal, ours) else "ledger"
