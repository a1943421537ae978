"""A decision kept with all it looked at, and what our own book says before it is made."""

from __future__ import annotations

import msgspec

from services.risk.application.exposures import Exposures, is_empty
from services.risk.domain.application import Application, Slice
from services.risk.domain.decision import Decision, Outcome
from services.risk.domain.exposure import (
    BORROWER,
    DIMENSIONS,
    EVERYTHING,
    GROUP,
    JOINT,
    JOINTLY,
    NONE,
    values_of,
)
from services.risk.domain.reservation import decided as reserved
from shared.runtime.records import Work


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One decision and everything it looked at; kept for ever under its request's id."""

    decision_id: str
    application: Application
    decision: Decision

    @property
    def approved(self) -> bool:
        """Say whether it was approved without a person."""
        return self.decision.outcome is Outcome.APPROVED


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """Which decision on an application is the latest."""

    decision_id: str


def gathered(given: Application, book: Exposures) -> Application:
    """Return an application with what our own book says, but for what it itself counts there."""
    currency, name, values = given.currency, given.application_id, values_of(given)

    def amount(dimension: str) -> int:
        return book.sum_of(currency, dimension, values[dimension], without=name)

    total = amount(EVERYTHING)
    group = amount(GROUP) if GROUP in values else 0
    slices = tuple(
        Slice(dimension=one, value=values[one], amount_minor=amount(one), total_minor=total)
        for one in DIMENSIONS
        if values[one] != NONE
    )
    if JOINT in values:
        sums = {
            "joint_partner_minor": amount(JOINT),
            "joint_minor": amount(JOINTLY),
            "lent_minor": total,
        }
        given = msgspec.structs.replace(given, **sums)
    return msgspec.structs.replace(
        given, borrower_approved_minor=amount(BORROWER), slices=slices, group_approved_minor=group
    )


async def latest(work: Work, application_id: str) -> Decided | None:
    """Return the latest decision on an application; None when there is none."""
    name = await work.get(Latest, application_id)
    return None if name is None else await work.get(Decided, name.decision_id)


async def reserve_earlier(work: Work, book: Exposures) -> int:
    """Reserve what was approved before there were reservations; returns how many."""
    if not await is_empty(work):
        return 0
    count = 0
    async for one in work.every(Decided):
        name = one.application.application_id
        newest = await work.get(Latest, name)
        found = reserved(None, one.application, approved=True)
        if one.approved and found and newest and newest.decision_id == one.decision_id:
            await book.put(work, [found])
            count += 1
    return count
