"""A loan that pays another one off: once, from its own proceeds, the rest to the borrower."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from lending.common.v1 import money_pb2
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.ledger.v1 import loan_pb2

from services.origination.application import names
from services.origination.application.desk import Desk
from services.origination.domain.application import Application
from services.origination.domain.payouts import Payout
from shared.kernel.errors import Refused

ABOVE_PAYOFF = "REPAYMENT_ABOVE_PAYOFF"
TAKES_NOTHING = {"LOAN_IS_SETTLED", "LOAN_IS_CHARGED_OFF", "LOAN_IS_TRANSFERRED"}
"""The ledger's reasons for which a loan takes no money any more, whatever is offered."""


class LoanNotRefinanced(Refused):
    """What is refinanced is the borrower's own loan, in the same currency, being repaid."""


async def payoff(desk: Desk, given: Application, on: date) -> int:
    """
    Return what pays off the loan that an application refinances, minor units; 0 without one.

    Raises:
        LoanNotRefinanced: it is another's, in another currency, or not being repaid.
    """
    if not given.refinances:
        return 0
    loan = await _loan(desk, given.refinances, on)
    found = (loan.borrower_ref, loan.terms.currency, loan.status)
    if found != (given.borrower_ref, given.currency, loan_pb2.LOAN_STATUS_ACTIVE):
        raise LoanNotRefinanced(
            f"{given.refinances} is not an active loan of {given.borrower_ref} in {given.currency}",
            field="refinances_loan_id",
            expected=f"an active loan of {given.borrower_ref} in {given.currency}",
            status=loan_pb2.LoanStatus.Name(loan.status),
        )
    return int(loan.payoff_minor)


async def would_pay_off(desk: Desk, given: Application, payout: Payout) -> None:
    """Ask whether the ledger would take the payoff; it refuses as it would then."""
    if payout.payoff_minor:
        await desk.ledger.PostRepayment(_repayment(given, payout, validate_only=True))


class PaidOff(NamedTuple):
    """What a loan that is refinanced took of what was meant for it, and if not all, why."""

    amount_minor: int
    why: str = ""


async def pay_off(desk: Desk, given: Application, payout: Payout) -> PaidOff:
    """
    Pay the other loan off; with less if it needs less by now, with nothing if it takes nothing.

    The id of the repayment names its amount, and the ledger takes no second one above the payoff:
    asked again after a crash, it is paid off once.
    Raises:
        Refused, InvalidArgument: as the ledger did, for a reason that may pass; ask again later.
    """
    try:
        await desk.ledger.PostRepayment(_repayment(given, payout))
    except Refused as refusal:
        if refusal.reason in TAKES_NOTHING:
            return PaidOff(0, refusal.reason)
        needed = payout.payoff_minor
        if refusal.reason == ABOVE_PAYOFF:
            needed = await _needed(desk, given, payout)
        if needed >= payout.payoff_minor:
            raise
        return PaidOff(needed, refusal.reason)
    return PaidOff(payout.payoff_minor)


async def _needed(desk: Desk, given: Application, payout: Payout) -> int:
    """Return what the other loan takes: its payoff at the value date, no more than today's."""
    today = max(await desk.business_on() or payout.value_on, payout.value_on)
    then, now = [await _loan(desk, given.refinances, on) for on in (payout.value_on, today)]
    if now.status != loan_pb2.LOAN_STATUS_ACTIVE:
        return 0
    return max(0, min(int(then.payoff_minor), int(now.payoff_minor)))


async def put_back(desk: Desk, given: Application, payout: Payout) -> None:
    """
    Repay the new loan with what the bank returned of it; nothing is owed that never arrived.

    Raises:
        Refused, InvalidArgument: as the ledger did; it is asked again until it takes it.
    """
    await desk.ledger.PostRepayment(
        ledger_pb.PostRepaymentRequest(
            request_id=names.rest_id(payout),
            loan_id=given.loan_id,
            value_on=payout.value_on.isoformat(),
            amount=money_pb2.Money(amount_minor=payout.rest_minor, currency=given.currency),
        )
    )


async def _loan(desk: Desk, loan_id: str, on: date) -> Any:
    asked = ledger_pb.GetLoanRequest(loan_id=loan_id, effective_on=on.isoformat())
    return await desk.ledger.GetLoan(asked)


def _repayment(
    given: Application, payout: Payout, *, validate_only: bool = False
) -> ledger_pb.PostRepaymentRequest:
    return ledger_pb.PostRepaymentRequest(
        request_id=names.payoff_id(given.application_id, payout.payoff_minor),
        loan_id=given.refinances,
        value_on=payout.value_on.isoformat(),
        amount=money_pb2.Money(amount_minor=payout.payoff_minor, currency=given.currency),
        validate_only=validate_only,
    )
