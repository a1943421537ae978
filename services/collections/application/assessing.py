"""Can the borrower pay the plan? Risk is asked; when it does not know, a person looks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import structlog
from lending.common.v1 import money_pb2
from lending.risk.v1 import affordability_service_pb2 as risk_pb

from services.collections.application.ports import Risk
from services.collections.domain.case import Case
from services.collections.domain.hardship import Budget
from shared.kernel.errors import LendingError

ASK_SECONDS_MAX = 3.0
"""Of each proposal; the channel asks again within it while risk is away."""

SAID = {
    risk_pb.AFFORDABILITY_OUTCOME_AFFORDABLE: True,
    risk_pb.AFFORDABILITY_OUTCOME_NOT_AFFORDABLE: False,
}


class Assessed(NamedTuple):
    """Whether it can be paid, None where a person must look; `why` is risk's, or why it is away."""

    affordable: bool | None
    why: str


@dataclass(frozen=True, slots=True)
class Assessing:
    """Asks risk."""

    risk: Risk

    async def assess(
        self, request_id: str, case: Case, budget: Budget, instalment_minor: int, on: date
    ) -> Assessed:
        """
        Ask whether a borrower can pay an instalment.

        Args:
            request_id: Of the proposal; the same again is the same assessment.
            case: Whose.
            budget: A month as the borrower states it.
            instalment_minor: The highest new instalment a month.
            on: The business date.
        """

        def money(minor: int) -> money_pb2.Money:
            return money_pb2.Money(currency=case.currency, amount_minor=minor)

        asked = risk_pb.AssessAffordabilityRequest(
            request_id=f"plan.{request_id}"[:64],
            borrower_ref=case.borrower_ref,
            loan_id=case.loan_id,
            assessed_on=on.isoformat(),
            monthly_instalment=money(instalment_minor),
            monthly_income=money(budget.income_minor),
            monthly_living_costs=money(budget.expenses_minor),
            monthly_debt_payments=money(budget.other_debt_minor),
            monthly_other_instalments=money(0),
        )
        try:
            found = await self.risk.AssessAffordability(asked, timeout=ASK_SECONDS_MAX)
        except LendingError as away:
            structlog.get_logger().warning("risk did not assess a plan", why=away.reason)
            return Assessed(None, away.reason)
        codes = ", ".join(reason.code for reason in found.reasons)
        return Assessed(SAID.get(found.outcome), f"{found.policy_version} {codes}".strip())
