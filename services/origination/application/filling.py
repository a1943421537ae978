"""What applications from before things and policies were counted secure: counted once, too."""

from __future__ import annotations

from datetime import datetime

import msgspec
import structlog

from services.origination.application.desk import Desk
from services.origination.application.engaging import answer_if_known
from services.origination.application.holding import hold
from services.origination.application.parking import each_readable
from services.origination.domain.application import Application
from services.origination.domain.guarantors import Exposure, Guarantor, exposure_of
from services.origination.domain.pledges import Pledge, pledge_id, with_more
from services.origination.domain.securities import GUARANTOR, Guarantee
from services.origination.domain.state_machine import ALLOWED
from shared.runtime.readable import Unreadable, every_readable
from shared.runtime.records import Work

PLEDGES = "pledges/2"
"""Done anew since insurers that are registered later answer for what they insured before."""


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was filled in for older records, and when it was done."""

    name: str
    at: datetime


async def fill_pledges(desk: Desk) -> None:
    """Count what stands behind every application that has not ended; killed, it begins anew."""
    async with desk.records.work() as work:
        if await work.get(Filled, PLEDGES):
            return
    async for application in each_readable(desk.records, desk.now()):
        if ALLOWED[application.status] and _standing(application):
            async with desk.records.work() as work:
                await _fill(work, application.application_id)
    async with desk.records.work() as work:
        held = await hold(work, Filled, PLEDGES)
        await held.put(Filled(name=PLEDGES, at=desk.now()))


async def answered_before(work: Work, house: Guarantor) -> tuple[Exposure, ...]:
    """Return what who is registered only now answers for already, by application."""
    found = list[Exposure]()
    async for _, one in every_readable(work, Application):
        if isinstance(one, Unreadable) or not ALLOWED[one.status]:
            continue
        for given in _standing(one) if one.currency == house.currency else ():
            if given.collateral is None and given.provider_ref == house.guarantor_ref:
                found.append(exposure_of(given, one.application_id, one.borrower_ref))
    return tuple(found)


def _standing(application: Application) -> list[Guarantee]:
    """Return the securities of an application that are not released."""
    return [given for given in application.guarantees if given.released_on is None]


async def _fill(work: Work, application_id: str) -> None:
    """Count the securities of one application; what is there already stays as it is."""
    now = (await hold(work, Application, application_id)).now
    if now is None or not ALLOWED[now.status]:
        return
    for given in sorted(_standing(now), key=lambda g: g.provider_ref):
        if given.collateral is None and given.kind != GUARANTOR:
            await answer_if_known(work, now, given)
    for given in sorted(_standing(now), key=pledge_id):
        if pledge_id(given):
            await _pledge(work, now, given)


async def _pledge(work: Work, now: Application, given: Guarantee) -> None:
    """Write what a thing or a policy secures; what it secures too often is for people to see."""
    held, name = await hold(work, Pledge, pledge_id(given)), now.application_id
    before = held.now or Pledge(pledge_id=pledge_id(given), currency=now.currency)
    if name in {one.application_id for one in before.secured}:
        return
    if before.secured and (before.currency != now.currency or given.insurance is not None):
        others = [one.application_id for one in before.secured]
        structlog.get_logger().warning("secures another, too", id=name, others=others)
    if before.currency == now.currency:
        await held.put(with_more(before, name, given.amount_minor))
