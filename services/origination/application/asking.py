"""Risk is asked: about what was applied for, and where it declines about what it might accept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
from lending.risk.v1 import risk_service_pb2 as risk_pb

from services.origination import wire, wire_risk
from services.origination.application.desk import Desk
from services.origination.application.trials import is_trial
from services.origination.domain.application import Application
from services.origination.domain.products import Product, counters

APPROVED = risk_pb.DECISION_OUTCOME_APPROVED


@dataclass(slots=True)
class Asking:
    """Asks risk; a question asked again has the same answer."""

    desk: Desk
    risk: Any

    async def ask(
        self, found: Application, product: Product, on: date, *, trial: bool = False
    ) -> Any:
        """
        Return risk's decision.

        Args:
            trial: Decide and answer, but keep nothing.
        """
        rate = max((grade.rate_annual for grade in product.grades), default=product.rate_annual)
        terms = wire.terms_on_offer(found, product, rate, found.instalments, on)
        terms.cost_ceiling = ""
        preview = await self.desk.preview(terms, on)
        total = sum(r.principal_due_minor + r.interest_due_minor for r in preview.instalments)
        asked = wire_risk.score_request(found, total // found.instalments, on)
        asked.validate_only = trial or is_trial()
        return await self.risk.ScoreApplication(asked)

    async def counter(
        self, found: Application, product: Product, on: date
    ) -> tuple[Application, Any] | None:
        """
        Return the first smaller amount or longer term that risk approves, and its decision.

        Only that one is kept by risk; None when it approves none, or the product makes none.
        """
        for amount, instalments in counters(product, found.amount_minor, found.instalments):
            other = msgspec.structs.replace(found, amount_minor=amount, instalments=instalments)
            if (await self.ask(other, product, on, trial=True)).outcome != APPROVED:
                continue
            decision = await self.ask(other, product, on)
            return (other, decision) if decision.outcome == APPROVED else None
        return None
