"""Keep a decision with all it looked at, and with it what approvals add up to."""

from __future__ import annotations

import hashlib

import msgspec

from services.risk.domain.application import Application, Slice
from services.risk.domain.decision import Decision, Outcome
from services.risk.domain.exposure import (
    BORROWER,
    DIMENSIONS,
    EVERYTHING,
    Exposure,
    values_of,
)
from shared.runtime.records import Work

NAME_MAX = 80
VALUES_MAX = 10_000


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One decision and everything it looked at; kept for ever under its request's id."""

    decision_id: str
    application: Application
    decision: Decision


async def gathered(work: Work, application: Application) -> Application:
    """Return an application with what our own book says before it is decided."""
    earlier = await latest(work, application.application_id)
    before = await _exposures(work, application.currency, values_of(application))
    amounts = {}
    for dimension, exposure in before.items():
        counted = earlier is not None and _counts(earlier, exposure)
        taken_back = earlier.application.amount_minor if earlier and counted else 0
        amounts[dimension] = exposure.amount_minor - taken_back
    slices = tuple(
        Slice(
            dimension=name,
            value=before[name].value,
            amount_minor=amounts[name],
            total_minor=amounts[EVERYTHING],
        )
        for name in DIMENSIONS
    )
    return msgspec.structs.replace(
        application, borrower_approved_minor=amounts[BORROWER], slices=slices
    )


async def keep_decision(work: Work, decided: Decided) -> None:
    """Store a decision; one that replaces an earlier approval takes its amount back first."""
    earlier = await latest(work, decided.application.application_id)
    if earlier is not None:
        await _count(work, earlier, -1)
    await _count(work, decided, 1)
    await work.put(decided, decided.decision_id, decided.decision.policy_version)
    name = decided.application.application_id
    await work.put(Latest(decision_id=decided.decision_id), name, str(decided.decision.outcome))


class Latest(msgspec.Struct, frozen=True, kw_only=True):
    """Which decision on an application is the latest."""

    decision_id: str


async def latest(work: Work, application_id: str) -> Decided | None:
    """Return the latest decision on an application; None when there is none."""
    name = await work.get(Latest, application_id)
    return None if name is None else await work.get(Decided, name.decision_id)


async def exposures(work: Work, currency: str, dimension: str) -> list[Exposure]:
    """Return what was approved under each value of a dimension, in order of value."""
    found = await work.find(Exposure, state=f"{currency}.{dimension}", limit=VALUES_MAX)
    return sorted(found, key=lambda one: one.value)


def _counts(earlier: Decided, exposure: Exposure) -> bool:
    """Say whether an earlier decision is part of an exposure."""
    approved = earlier.decision.outcome is Outcome.APPROVED
    same = earlier.application.currency == exposure.currency
    value = values_of(earlier.application)[exposure.dimension]
    return approved and same and value == exposure.value


async def _exposures(work: Work, currency: str, values: dict[str, str]) -> dict[str, Exposure]:
    """Return what was approved before under each value, by dimension."""
    names = {dimension: _name(currency, dimension, value) for dimension, value in values.items()}
    found = await work.get_all(Exposure, names.values())
    return {
        dimension: found.get(name)
        or Exposure(currency=currency, dimension=dimension, value=values[dimension])
        for dimension, name in names.items()
    }


async def _count(work: Work, decided: Decided, sign: int) -> None:
    if decided.decision.outcome is not Outcome.APPROVED:
        return
    currency = decided.application.currency
    before = await _exposures(work, currency, values_of(decided.application))
    after = {}
    for dimension, now in before.items():
        counted = msgspec.structs.replace(
            now,
            approved=now.approved + sign,
            amount_minor=now.amount_minor + sign * decided.application.amount_minor,
        )
        after[_name(currency, dimension, now.value)] = counted, f"{currency}.{dimension}"
    await work.put_all(Exposure, after)


def _name(currency: str, dimension: str, value: str) -> str:
    name = f"{currency}.{dimension}.{value}"
    if len(name) <= NAME_MAX:
        return name
    return f"{currency}.{dimension}.{hashlib.sha256(value.encode()).hexdigest()[:48]}"
