"""Keep a decision, and with it what approvals add up to."""

from __future__ import annotations

import msgspec

from services.risk.domain.decision import Decision, Outcome
from services.risk.domain.exposure import ProductExposure
from shared.runtime.records import Work


async def keep_decision(work: Work, decision: Decision) -> None:
    """Store a decision; one that replaces an earlier approval takes its amount back first."""
    earlier = await work.get(Decision, decision.application_id)
    if earlier is not None:
        await _count(work, earlier, -1)
    await _count(work, decision, 1)
    await work.put(decision, decision.application_id, str(decision.outcome))


async def _count(work: Work, decision: Decision, sign: int) -> None:
    if decision.outcome is not Outcome.APPROVED or not decision.product:
        return
    name = f"{decision.currency}.{decision.product}"
    found = await work.get(ProductExposure, name)
    now = found or ProductExposure(currency=decision.currency, product=decision.product)
    after = msgspec.structs.replace(
        now,
        approved=now.approved + sign,
        amount_minor=now.amount_minor + sign * decision.amount_minor,
    )
    await work.put(after, name, decision.currency)
