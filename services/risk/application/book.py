"""Keep a decision with all it looked at, and with it what approvals add up to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec

from services.risk.domain.application import Application, Slice
from services.risk.domain.decision import Decision, Outcome
from services.risk.domain.exposure import (
    BORROWER,
    DIMENSIONS,
    EVERYTHING,
    NONE,
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


@dataclass(frozen=True, slots=True)
class Gathered:
    """An application with what our own book says, and what was read to say it."""

    application: Application
    earlier: Decided | None
    before: dict[str, Exposure]


async def gathered(work: Work, application: Application) -> Gathered:
    """Add what our own book says to an application that is about to be decided."""
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
        if before[name].value != NONE
    )
    known = msgspec.structs.replace(
        application, borrower_approved_minor=amounts[BORROWER], slices=slices
    )
    return Gathered(known, earlier, before)


async def keep_decision(work: Work, decided: Decided, known: Gathered) -> None:
    """Store a decision; one that replaces an earlier approval takes its amount back first."""
    before = known.before
    if known.earlier is not None and _approved(known.earlier):
        taken = await _exposures(
            work, known.earlier.application.currency, values_of(known.earlier.application)
        )
        await _count(work, known.earlier, taken, -1)
        before = await _exposures(
            work, decided.application.currency, values_of(decided.application)
        )
    if _approved(decided):
        await _count(work, decided, before, 1)
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


def _approved(decided: Decided) -> bool:
    return decided.decision.outcome is Outcome.APPROVED


def _counts(earlier: Decided, exposure: Exposure) -> bool:
    """Say whether an earlier decision is part of an exposure."""
    same = earlier.application.currency == exposure.currency
    value = values_of(earlier.application)[exposure.dimension]
    return _approved(earlier) and same and value == exposure.value


async def _exposures(work: Work, currency: str, values: dict[str, str]) -> dict[str, Exposure]:
    """Return what was approved before under each value, by dimension."""
    names = {dimension: _name(currency, dimension, value) for dimension, value in values.items()}
    found = await work.get_all(Exposure, names.values())
    return {
        dimension: found.get(name)
        or Exposure(currency=currency, dimension=dimension, value=values[dimension])
        for dimension, name in names.items()
    }


async def _count(work: Work, decided: Decided, before: dict[str, Exposure], sign: int) -> None:
    after = {}
    for dimension, now in before.items():
        counted = msgspec.structs.replace(
            now,
            approved=now.approved + sign,
            amount_minor=now.amount_minor + sign * decided.application.amount_minor,
        )
        name = _name(now.currency, dimension, now.value)
        after[name] = counted, f"{now.currency}.{dimension}"
    await work.put_all(Exposure, after)


def _name(currency: str, dimension: str, value: str) -> str:
    name = f"{currency}.{dimension}.{value}"
    if len(name) <= NAME_MAX:
        return name
    return f"{currency}.{dimension}.{hashlib.sha256(value.encode()).hexdigest()[:48]}"
