"""Offers: what the product prices, as the ledger schedules it, under the ceiling."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from services.origination.application.desk import (
    SERVICE,
    Desk,
    Prepare,
    Prepared,
    unhindered,
)
from services.origination.application.terms import as_json, terms_from, terms_on_offer
from services.origination.domain.application import (
    Application,
    Offer,
    expired,
    offered,
    stepped,
)
from services.origination.domain.cost import Cost, Payment, all_in_cost
from services.origination.domain.disclosure import APPLY_AGAIN
from services.origination.domain.products import terms_to_offer
from services.origination.domain.state_machine import (
    ALLOWED,
    ContractAlreadyAccepted,
    Status,
    Step,
    require,
)
from shared.kernel.dates import add_months
from shared.kernel.errors import LendingError, Unavailable

ABOVE_CEILING = "COST_CEILING_EXCEEDED"
NOT_OFFERED = {ABOVE_CEILING, "GRADE_NOT_PRICED"}


def cost_of(preview: Any) -> Cost:
    """Return the all-in cost of the ledger's preview of a loan."""
    payments = [
        Payment(date.fromisoformat(row.due_on), row.principal_due_minor + row.interest_due_minor)
        for row in preview.instalments
    ]
    terms = preview.terms
    return all_in_cost(
        terms.principal_minor,
        terms.fees_elsewhere_minor,
        date.fromisoformat(preview.effective_on),
        payments,
    )


async def priced(desk: Desk, offer: Offer, terms: Any, on: date) -> Offer:
    """Return an offer with terms, at what they cost when paid out on a date."""
    cost = cost_of(await desk.preview(terms, on))
    return msgspec.structs.replace(
        offer,
        terms_json=as_json(terms),
        principal_minor=terms.principal_minor,
        total_payable_minor=cost.total_payable_minor,
        all_in_rate_annual=str(cost.nominal_annual),
    )


async def make_offers(
    desk: Desk, application: Application, probability_of_default: Decimal, on: date
) -> tuple[Offer, ...]:
    """
    Price every option of the product; what was applied for comes first.

    Raises:
        CostCeilingExceeded: what was applied for would cost more than is allowed.
        GradeNotPriced: the product has no rate for the applicant.
    """
    product = desk.product(application, on)
    grade, rate = product.rate_for(probability_of_default)
    offers: list[Offer] = []
    for instalments in terms_to_offer(product, application.instalments):
        terms = terms_on_offer(application, product, rate, instalments, on)
        try:
            offers.append(await priced(desk, _unpriced(f"{instalments}m", grade), terms, on))
        except LendingError as refusal:
            if not offers or refusal.reason != ABOVE_CEILING:
                raise
    return tuple(offers)


async def counter_offer(
    desk: Desk, application: Application, other: Application, decision: Any, on: date
) -> tuple[Offer, ...]:
    """
    Price what risk approves instead; nothing where that is above the ceiling or has no price.

    Args:
        other: The application as if it had asked for that.
    """
    product = desk.product(application, on)
    try:
        grade, rate = product.rate_for(Decimal(decision.probability_of_default))
        terms = terms_on_offer(other, product, rate, other.instalments, on)
        offer = _unpriced(f"{other.instalments}m-{other.amount_minor}", grade, counter=True)
        return (await priced(desk, offer, terms, on),)
    except LendingError as refusal:
        if refusal.reason not in NOT_OFFERED:
            raise
        return ()


def _unpriced(offer_id: str, grade: str, *, counter: bool = False) -> Offer:
    return Offer(
        offer_id=offer_id,
        grade=grade,
        terms_json="",
        total_payable_minor=0,
        all_in_rate_annual="",
        counter=counter,
    )


async def with_fees(desk: Desk, application: Application, on: date) -> dict[str, Any]:
    """
    Return the offers of an application anew, with the fees of its securities.

    An offer that nobody chose is dropped where they take it above the ceiling.

    Raises:
        CostCeilingExceeded: with these fees the offer chosen, or each, costs more than is allowed.
    """
    if not application.offers:
        return {}
    last = application.offers[-1]
    ceiling, offers = desk.product(application, on).cost_ceiling, []
    for offer in application.offers:
        terms = terms_from(offer.terms_json)
        terms.fees_elsewhere_minor = application.fees_elsewhere_minor
        terms.cost_ceiling = ceiling
        try:
            offers.append(await priced(desk, offer, terms, on))
        except LendingError as refusal:
            needed = offer.offer_id == application.offer_id or (offer is last and not offers)
            if needed or refusal.reason != ABOVE_CEILING:
                raise
    if not application.offer_id:
        return {"offers": tuple(offers)}
    return offered(tuple(offers), application.offer_id)


def valid_until(
    desk: Desk, application: Application, on: date, offers: Sequence[Offer] = ()
) -> date:
    """Return the last day on which an offer made on a date can be taken up and paid out."""
    last = on + timedelta(days=desk.product(application).offer_days)
    dues = [date.fromisoformat(terms_from(o.terms_json).first_due_on) for o in offers]
    return min([last, *(due - timedelta(days=1) for due in dues)])


def choose(desk: Desk, offer_id: str) -> Prepare:
    """Return how one of the offers is chosen: at the price, and under the law, of the day."""

    async def prepare(found: Application) -> Prepared:
        require(found.status, Step.CHOOSE)
        if found.status is Status.PAYOUT_RETURNED and await desk.is_booked(found):
            raise ContractAlreadyAccepted(
                f"{found.loan_id} was opened under the contract's terms",
                field="application_id",
                expected=APPLY_AGAIN,
                status=found.status,
            )
        today, stamp = await desk.today(found), desk.stamp()
        await desk.expire(found, today)
        offered(found.offers, offer_id)
        offers = tuple(
            [
                await _anew(desk, found, offer, today) if offer.offer_id == offer_id else offer
                for offer in found.offers
            ]
        )
        changes = offered(offers, offer_id)
        return Prepared(stepped(found, Step.CHOOSE, Status.OFFERED, stamp, offer_id, **changes))

    return prepare


async def _anew(desk: Desk, found: Application, offer: Offer, on: date) -> Offer:
    terms = terms_from(offer.terms_json)
    terms.cost_ceiling = desk.product(found, on).cost_ceiling
    terms.first_due_on = add_months(on, 1).isoformat()
    return await priced(desk, offer, terms, on)


def withdraw(desk: Desk) -> Prepare:
    """Return how an applicant withdraws."""

    async def prepare(found: Application) -> Prepared:
        return Prepared(stepped(found, Step.WITHDRAW, Status.WITHDRAWN, desk.stamp()))

    return prepare


def lapse(desk: Desk) -> Prepare:
    """Return how an application lapses whose last day has passed."""

    async def prepare(found: Application) -> Prepared:
        require(found.status, Step.EXPIRE)
        return Prepared(expired(found, await desk.today(found), desk.stamp(SERVICE)))

    return prepare


async def sweep(desk: Desk) -> None:
    """Let every application lapse whose last day has passed, by one business date for all."""
    with suppress(Unavailable):
        on = await desk.business_on()
        for status in (s for s in Status if on and Step.EXPIRE in ALLOWED[s]):
            async for application in desk.each(status):
                if on:
                    await unhindered(application.application_id, desk.lapsed(application, on))
