"""Who and what stands behind an application, kept beside it so that others count it too."""

from __future__ import annotations

from datetime import date

import msgspec

from services.origination.application.holding import hold
from services.origination.domain.application import Application
from services.origination.domain.guarantors import (
    Guarantor,
    GuarantorNotRegistered,
    disengaged,
    engaged,
    exposure_of,
)
from services.origination.domain.pledges import Pledge, freed, pledge_id, pledged
from services.origination.domain.products import GuarantorLimit, Policies, Product, latest
from services.origination.domain.securities import GUARANTOR, INSURANCE, Guarantee
from shared.runtime.records import Work


async def engage(
    work: Work,
    application: Application,
    given: Guarantee,
    policies: Policies,
    product: Product,
    on: date,
) -> None:
    """
    Keep what a security stands for, within the limits of who gives it and of what it is worth.

    Raises:
        GuarantorNotRegistered, GuarantorOverLimit, GuarantorOverDebtorLimit
        GuarantorOverGroupLimit, LoanToValueExceeded, PolicySecuresAnother
    """
    limit = _limit(policies, given, on)
    if limit is not None or given.kind == GUARANTOR:
        await _answer(work, application, given, limit)
    elif given.collateral is None:
        await answer_if_known(work, application, given)
    if pledge_id(given):
        pledge = await hold(work, Pledge, pledge_id(given))
        name, currency = application.application_id, application.currency
        await pledge.put(pledged(pledge.now, given, name, currency, product))


def _limit(policies: Policies, given: Guarantee, on: date) -> GuarantorLimit | None:
    rows = {GUARANTOR: policies.guarantor_limit, INSURANCE: policies.insurer_limit}
    return latest(rows.get(given.kind, ()), on)


async def _answer(
    work: Work, application: Application, given: Guarantee, limit: GuarantorLimit | None
) -> None:
    house = await hold(work, Guarantor, given.provider_ref)
    if house.now is None or limit is None or house.now.currency != application.currency:
        raise GuarantorNotRegistered(
            f"{given.provider_ref} is not registered in {application.currency}",
            field="provider_ref",
            expected="a guarantor or insurer taken in by RegisterGuarantor",
        )
    more = exposure_of(given, application.application_id, application.borrower_ref)
    await house.put(engaged(house.now, more, limit))


async def answer_if_known(work: Work, now: Application, given: Guarantee) -> None:
    """Have a registered insurer answer for what it insures; no limit is asked."""
    house = await hold(work, Guarantor, given.provider_ref)
    if house.now is None or house.now.currency != now.currency:
        return
    more = exposure_of(given, now.application_id, now.borrower_ref)
    known = {(e.application_id, e.kind) for e in house.now.exposures}
    if (more.application_id, more.kind) not in known:
        exposures = (*house.now.exposures, more)
        await house.put(msgspec.structs.replace(house.now, exposures=exposures))


async def let_go(work: Work, given: list[Guarantee], application_id: str) -> None:
    """Drop what securities stand for under an application: first houses, then things, by name."""
    houses = {(g.provider_ref, g.kind) for g in given if g.collateral is None}
    for provider_ref, kind in sorted(houses):
        house = await hold(work, Guarantor, provider_ref)
        if house.now is not None:
            await house.put(disengaged(house.now, application_id, kind))
    for name in sorted({pledge_id(g) for g in given} - {""}):
        pledge = await hold(work, Pledge, name)
        if pledge.now is not None:
            await pledge.put(freed(pledge.now, application_id))
