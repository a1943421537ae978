"""Money out exactly once, whatever dies in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application import names
from services.origination.application.carrying import Carrying
from services.origination.application.dating import dated
from services.origination.application.desk import Prepare, Prepared
from services.origination.application.orders import disbursal, opening
from services.origination.application.refinancing import (
    would_pay_off,
)
from services.origination.application.shredding import account_of
from services.origination.application.terms import matures_on, terms_of
from services.origination.application.trials import is_trial
from services.origination.domain import conditions
from services.origination.domain.application import (
    Application,
    stepped,
)
from services.origination.domain.payouts import (
    Payout,
    check_drawing,
    next_amount,
    paid_before,
)
from services.origination.domain.state_machine import (
    Status,
    Step,
    require,
)
from shared.kernel.errors import InvalidArgument
from shared.runtime.requests import an_amount


class TrancheCurrencyDiffers(InvalidArgument):
    """A part is paid out in the currency of its loan."""


@dataclass(slots=True)
class Disbursing(Carrying):
    """Takes in that money is to go out, all at once or a part, and has it carried out."""

    async def disburse(self, request: pb.ApplicationRequest) -> pb.Application:
        """
        Pay all of an accepted contract out; a crash in between is finished later, never repeated.

        Raises:
            ConditionsOutstanding, DisclosureOutOfDate, StepOutOfOrder
        """

        async def intend(found: Application) -> Prepared:
            if found.status in (Status.DISBURSED, Status.DISBURSING):
                return Prepared(found)
            return await self._intend(found, 0, request.request_id)

        return await self._pay(request, "DisburseApplication", intend)

    async def disburse_part(self, request: pb.DisburseTrancheRequest) -> pb.Application:
        """
        Pay a part out, where the product allows several, within its days for drawing.

        Raises:
            NothingLeftToPayOut, AmountAboveWhatIsLeft, DrawingPeriodIsOver, StepOutOfOrder
        """
        amount = an_amount(request.amount, "amount")

        async def intend(found: Application) -> Prepared:
            if request.amount.currency != found.currency:
                raise TrancheCurrencyDiffers(
                    f"the loan is in {found.currency}",
                    field="amount.currency",
                    expected=found.currency,
                )
            return await self._intend(found, amount, request.request_id)

        return await self._pay(request, "DisburseTranche", intend)

    async def _pay(self, request: Any, method: str, intend: Prepare) -> pb.Application:
        """Store an intention once per request id, and carry it to its end."""

        async def prepare(found: Application) -> Prepared:
            known = any(payout.request_id == request.request_id for payout in found.payouts)
            return Prepared(found) if known else await intend(found)

        begun = await self.desk.begin(request, method, prepare)
        if request.validate_only:
            return begun
        return self.desk.message(await self.finish(request.application_id))

    async def _intend(self, found: Application, asked: int, request_id: str) -> Prepared:
        require(found.status, Step.DISBURSE)
        today = await self.desk.today(found)
        await self.desk.expire(found, today)
        product, terms = self.desk.product(found), terms_of(found)
        parts_max = max(1, terms.disbursements_max)
        lent = next_amount(found.payouts, terms.principal_minor, parts_max, asked)
        check_drawing(found.payouts, product.drawing_days, today)
        conditions.refuse(
            conditions.payout_conditions(found, product, today, matures_on(found)), "disburse"
        )
        number = len(found.payouts) + 1
        payout = Payout(
            payout_id=names.payout_id(found.application_id, number),
            disbursal_id=names.disbursal_id(found.application_id, number),
            account_ref=account_of(found),
            amount_minor=lent,
            value_on=today,
            request_id=request_id,
        )
        payout = await dated(self.desk, found, payout, today)
        stamp, payouts = self.desk.stamp(), (*found.payouts, payout)
        after = stepped(
            found, Step.DISBURSE, Status.DISBURSING, stamp, payout.payout_id, payouts=payouts
        )
        if is_trial():
            await self._would_open(after, payout)
        return Prepared(after)

    async def _would_open(self, found: Application, payout: Payout) -> None:
        """Ask the ledger what can be asked of a loan that is not opened by that."""
        if paid_before(found.payouts):
            await self.desk.ledger.DisburseLoan(disbursal(found, validate_only=True))
        else:
            await self.desk.ledger.OpenLoan(opening(found, validate_only=True))
            await would_pay_off(self.desk, found, payout)
