"""Offers: what the product prices, as the ledger schedules it, under the ceiling."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination import wire
from services.origination.application.desk import SERVICE, Change, Desk
from services.origination.domain.application import (
    Application,
    ApplicationAlreadySubmitted,
    Offer,
    expired,
    noted,
    offered,
    stepped,
)
from services.origination.domain.cost import Cost, Payment, all_in_cost
from services.origination.domain.products import terms_to_offer
from services.origination.domain.state_machine import ALLOWED, Status, Step, require
from shared.kernel.errors import LendingError, Unavailable
from shared.runtime.records import Work

SWEEP_SIZE = 500


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


async def make_offers(
    desk: Desk, application: Application, probability_of_default: Decimal, on: date
) -> tuple[Offer, ...]:
    """
    Price every option of the product; what was applied for comes first.

    Raises:
        CostCeilingExceeded: what was applied for would cost more than is allowed.
        GradeNotPriced: the product has no rate for the applicant.
    """
    product = desk.product(application)
    grade, rate = product.rate_for(probability_of_default)
    offers: list[Offer] = []
    for instalments in terms_to_offer(product, application.instalments):
        terms = wire.terms_on_offer(application, product, rate, instalments, on)
        try:
            preview = await desk.preview(terms, on)
        except LendingError as refusal:
            if not offers or refusal.reason != "COST_CEILING_EXCEEDED":
                raise
            continue
        cost = cost_of(preview)
        offers.append(
            Offer(
                offer_id=f"{instalments}m",
                grade=grade,
                terms_json=wire.as_json(terms),
                total_payable_minor=cost.total_payable_minor,
                all_in_rate_annual=str(cost.nominal_annual),
            )
        )
    return tuple(offers)


async def with_fees(desk: Desk, application: Application, on: date) -> dict[str, Any]:
    """
    Return the offers of an application anew, with the fees of its securities.

    Raises:
        CostCeilingExceeded: with these fees the loan would cost more than is allowed.
    """
    if not application.offers:
        return {}
    fees, offers = application.fees_elsewhere_minor, []
    for offer in application.offers:
        terms = wire.terms_from(offer.terms_json)
        terms.fees_elsewhere_minor = fees
        cost = cost_of(await desk.preview(terms, on))
        offers.append(
            Offer(
                offer_id=offer.offer_id,
                grade=offer.grade,
                terms_json=wire.as_json(terms),
                total_payable_minor=cost.total_payable_minor,
                all_in_rate_annual=str(cost.nominal_annual),
            )
        )
    if not application.offer_id:
        return {"offers": tuple(offers)}
    return offered(tuple(offers), application.offer_id)


def valid_until(desk: Desk, application: Application, on: date) -> date:
    """Return the last day on which an offer made on a date can be taken up."""
    return on + timedelta(days=desk.product(application).offer_days)


def choose(desk: Desk, offer_id: str) -> Any:
    """Return how one of the offers is chosen."""

    async def prepare(found: Application) -> Change:
        require(found.status, Step.CHOOSE)
        await desk.expire(found, await desk.today(found))
        stamp = desk.stamp()

        def step(now: Application) -> Application:
            changes = offered(now.offers, offer_id)
            return stepped(now, Step.CHOOSE, Status.OFFERED, stamp, offer_id, **changes)

        return step

    return prepare


def withdraw(desk: Desk) -> Any:
    """Return how an applicant withdraws."""

    async def prepare(found: Application) -> Change:
        stamp = desk.stamp()
        return lambda now: stepped(now, Step.WITHDRAW, Status.WITHDRAWN, stamp)

    return prepare


def lapse(desk: Desk) -> Any:
    """Return how an application lapses whose last day has passed."""

    async def prepare(found: Application) -> Change:
        require(found.status, Step.EXPIRE)
        today, stamp = await desk.today(found), desk.stamp(SERVICE)
        return lambda now: expired(now, today, stamp)

    return prepare


async def sweep(desk: Desk) -> None:
    """Let every application lapse whose last day has passed, by one business date for all."""
    with suppress(Unavailable):
        on = await desk.business_on()
        for status in (s for s in Status if on and Step.EXPIRE in ALLOWED[s]):
            await _sweep(desk, status, on)


async def _sweep(desk: Desk, status: Status, on: date) -> None:
    after = ""
    while True:
        async with desk.records.work() as work:
            page = await work.find(Application, state=str(status), after=after, limit=SWEEP_SIZE)
        for application in page:
            with suppress(LendingError):
                await desk.expire(application, on)
        if len(page) < SWEEP_SIZE:
            return
        after = page[-1].application_id


async def submit(desk: Desk, request: pb.SubmitApplicationRequest) -> pb.Application:
    """Take an application in, as far as the product's row of its date allows."""
    read = wire.application(request, desk.policies)
    until = valid_until(desk, read, read.applied_on)
    application = msgspec.structs.replace(read, valid_until_on=until)
    stamp = desk.stamp()

    async def act(work: Work) -> pb.Application:
        if await work.get(Application, application.application_id) is not None:
            raise ApplicationAlreadySubmitted(
                f"{application.application_id} exists", field="application_id"
            )
        after = noted(application, "submit", stamp, application.policy_version)
        await desk.keep(work, after)
        return wire.application_message(after)

    return await desk.records.answer_once(request, pb.Application, act)
