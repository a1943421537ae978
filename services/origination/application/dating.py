"""An order that nobody has yet, made for a day: at what it then costs and pays off."""

from __future__ import annotations

from datetime import date

import msgspec

from services.origination.application.desk import Desk
from services.origination.application.offering import cost_of
from services.origination.application.refinancing import payoff
from services.origination.application.terms import terms_of
from services.origination.domain.application import Application, ShownCost
from services.origination.domain.disclosure import (
    APPLY_AGAIN,
    DisclosureOutOfDate,
    check_cost,
)
from services.origination.domain.payouts import Payout, net_of


async def dated(desk: Desk, found: Application, payout: Payout, on: date) -> Payout:
    """
    Return an order as one of a day: at its cost, paying off what it needs.

    Raises:
        DisclosureOutOfDate, LoanNotRefinanced, RefinancingTooSmall
    """
    if any(p.reference and not p.returned for p in found.payouts):
        return msgspec.structs.replace(payout, value_on=on)
    await _check_cost(desk, found, on)
    paid_off = await payoff(desk, found, on)
    amount = net_of(payout.lent_minor, paid_off)
    return msgspec.structs.replace(payout, amount_minor=amount, payoff_minor=paid_off, value_on=on)


async def _check_cost(desk: Desk, found: Application, on: date) -> None:
    """Refuse an order that costs more than was disclosed, and say which way on is open."""
    cost = cost_of(await desk.preview(terms_of(found), on))
    now = ShownCost(
        on=on,
        total_payable_minor=cost.total_payable_minor,
        all_in_rate_annual=cost.nominal_annual,
    )
    try:
        check_cost(found.shown_cost, found.offer, now)
    except DisclosureOutOfDate as refusal:
        if await desk.is_booked(found):
            refusal.expected = APPLY_AGAIN
        raise
