"""Money out exactly once, whatever dies in between."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import msgspec
from lending.common.v1 import money_pb2
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application.desk import SERVICE, Desk
from services.origination.application.offering import cost_of
from services.origination.application.ports import PayoutOrder, Payouts
from services.origination.application.refinancing import pay_off, payoff, would_pay_off
from services.origination.application.shredding import account_of
from services.origination.application.terms import matures_on, terms_of
from services.origination.application.trials import is_trial
from services.origination.domain import conditions
from services.origination.domain.application import (
    Application,
    ShownCost,
    noted,
    stepped,
)
from services.origination.domain.disclosure import check_cost
from services.origination.domain.payouts import (
    AmountAboveWhatIsLeft,
    Payout,
    net_of,
    next_amount,
    paid_before,
)
from services.origination.domain.state_machine import Status, Step, require
from shared.kernel.errors import Refused
from shared.runtime.requests import an_amount, an_id


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
        Pay all of an accepted contract out; a crash in between is finished later, never repeated.

        Raises:
            ConditionsOutstanding, DisclosureOutOfDate, StepOutOfOrder
        """

        async def intend(found: Application) -> Application:
            if found.status in (Status.DISBURSED, Status.DISBURSING):
                return found
            return await self._intend(found, 0, "")

        found = await self.desk.carry(application_id, intend)
        return found if is_trial() else await self.finish(application_id)

    async def disburse_part(self, request: pb.DisburseTrancheRequest) -> Application:
        """
        Pay a part out, where the product allows several.

        Raises:
            NothingLeftToPayOut, AmountAboveWhatIsLeft, StepOutOfOrder
        """
        request_id = an_id(request.request_id, "request_id")
        amount = an_amount(request.amount, "amount")

        async def intend(found: Application) -> Application:
            if any(payout.request_id == request_id for payout in found.payouts):
                return found
            if request.amount.currency != found.currency:
                raise AmountAboveWhatIsLeft(
                    f"the loan is in {found.currency}", field="amount", expected=found.currency
                )
            return await self._intend(found, amount, request_id)

        application_id = an_id(request.application_id, "application_id")
        found = await self.desk.carry(application_id, intend)
        return found if is_trial() else await self.finish(application_id)

    async def _intend(self, found: Application, asked: int, request_id: str) -> Application:
        require(found.status, Step.DISBURSE)
        today = await self.desk.today(found)
        await self.desk.expire(found, today)
        product, terms = self.desk.product(found), terms_of(found)
        parts_max = max(1, terms.disbursements_max)
        lent = next_amount(found.payouts, terms.principal_minor, parts_max, asked)
        conditions.refuse(
            conditions.payout_conditions(found, product, today, matures_on(found)), "disburse"
        )
        first = found.status is not Status.DISBURSED
        if first:
            await self._check_cost(found, terms, today)
        paid_off = await payoff(self.desk, found, today) if first else 0
        payout = Payout(
            payout_id=f"payout-{found.application_id}-{len(found.payouts) + 1}",
            account_ref=account_of(found),
            amount_minor=net_of(lent, paid_off),
            payoff_minor=paid_off,
            value_on=today,
            request_id=request_id,
        )
        stamp, payouts = self.desk.stamp(), (*found.payouts, payout)
        after = stepped(
            found, Step.DISBURSE, Status.DISBURSING, stamp, payout.payout_id, payouts=payouts
        )
        return await self.desk.swap(found, after)

    async def _check_cost(self, found: Application, terms: Any, today: date) -> None:
        cost = cost_of(await self.desk.preview(terms, today))
        now = ShownCost(
            on=today,
            total_payable_minor=cost.total_payable_minor,
            all_in_rate_annual=cost.nominal_annual,
        )
        check_cost(found.shown_cost, found.offer, now)

    async def finish(self, application_id: str) -> Application:
        """Carry a payout to its end: the account opened, the money sent, the ledger told."""
        return await self.desk.carry(application_id, self._finish)

    async def _finish(self, found: Application) -> Application:
        if found.status is not Status.DISBURSING:
            return found
        payout = found.payouts[-1]
        if not payout.sent:
            try:
                await self._open(found, payout)
            except Refused as refusal:
                return await self._returned(found, f"ledger: {refusal.reason}")
            found = await self._note(found, "send", sent=True)
        if not payout.reference:
            answer = await self.payouts.pay(_order(found, payout))
            if answer.returned:
                return await self._returned(found, answer.returned)
            found = await self._note(found, "sent", reference=answer.reference)
        await self.desk.ledger.DisburseLoan(_disburse(found, payout))
        found = await self._refinanced(found)
        return await self._paid(found, payout)

    async def _refinanced(self, found: Application) -> Application:
        """Pay off the loan that is refinanced; what it does not need by now goes out as well."""
        payout = found.payouts[-1]
        while payout.payoff_minor:
            needed = await pay_off(self.desk, found, payout)
            if needed == payout.payoff_minor:
                break
            rest = payout.rest_minor + payout.payoff_minor - needed
            found = await self._note(found, "payoff", payoff_minor=needed, rest_minor=rest)
            payout = found.payouts[-1]
        if payout.rest_minor and not payout.rest_reference:
            answer = await self.payouts.pay(_rest_order(found, payout))
            said = answer.reference or f"returned: {answer.returned}"
            found = await self._note(found, "rest", rest_reference=said)
        return found

    async def _open(self, found: Application, payout: Payout) -> None:
        """Open the loan, and ask whether the ledger would take its disbursal."""
        await self.desk.ledger.OpenLoan(
            ledger_pb.OpenLoanRequest(
                request_id=f"open-{found.application_id}",
                loan_id=found.loan_id,
                borrower_ref=found.borrower_ref,
                product=found.product,
                terms=terms_of(found),
            )
        )
        await self.desk.ledger.DisburseLoan(_disburse(found, payout, validate_only=True))
        await would_pay_off(self.desk, found, payout)

    async def _note(self, found: Application, what: str, **changes: Any) -> Application:
        """Store how far the payout has come, unless another has carried it further."""
        payout = msgspec.structs.replace(found.payouts[-1], **changes)
        payouts, note = (*found.payouts[:-1], payout), payout.reference or payout.payout_id
        after = noted(found, what, self.desk.stamp(SERVICE), note, payouts=payouts)
        return await self.desk.swap(found, after)

    async def _paid(self, found: Application, payout: Payout) -> Application:
        days, stamp = self.desk.product(found).cooling_off_days, self.desk.stamp(SERVICE)
        until = payout.value_on + timedelta(days=days) if days else None
        changes = {"cooling_off_until_on": found.cooling_off_until_on or until}
        after = stepped(found, Step.PAY, Status.DISBURSED, stamp, payout.payout_id, **changes)
        return await self.desk.swap(found, after)

    async def _returned(self, found: Application, why: str) -> Application:
        payout = msgspec.structs.replace(found.payouts[-1], returned=why)
        stamp, payouts = self.desk.stamp(SERVICE), (*found.payouts[:-1], payout)
        status = Status.DISBURSED if paid_before(found.payouts) else Status.PAYOUT_RETURNED
        after = stepped(found, Step.RETURN, status, stamp, why, payouts=payouts)
        return await self.desk.swap(found, after)

    async def resume(self) -> None:
        """Finish what a crash or an outage interrupted."""
        await self.desk.resume(Status.DISBURSING, self.finish)


def money(amount_minor: int, currency: str) -> Any:
    """Return an amount as the contracts carry it."""
    return money_pb2.Money(amount_minor=amount_minor, currency=currency)


def _disburse(found: Application, payout: Payout, *, validate_only: bool = False) -> Any:
    before = len(paid_before(found.payouts))
    return ledger_pb.DisburseLoanRequest(
        request_id=f"disburse-{found.application_id}" + (f"-{before + 1}" if before else ""),
        loan_id=found.loan_id,
        value_on=payout.value_on.isoformat(),
        amount=money(payout.lent_minor, found.currency),
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


def _rest_order(found: Application, payout: Payout) -> PayoutOrder:
    return _order(found, payout)._replace(
        payout_id=f"{payout.payout_id}-rest", amount_minor=payout.rest_minor
    )
