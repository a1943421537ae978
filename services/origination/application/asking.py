"""Risk is asked: about what was applied for, and where it declines about what it might accept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
from lending.common.v1 import money_pb2
from lending.risk.v1 import risk_service_pb2 as risk_pb

from services.origination.application.desk import Desk
from services.origination.application.terms import terms_on_offer
from services.origination.application.trials import is_trial
from services.origination.domain.application import Application
from services.origination.domain.products import Product, counters
from services.origination.domain.securities import GUARANTOR

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
        terms = terms_on_offer(found, product, rate, found.instalments, on)
        terms.cost_ceiling = ""
        preview = await self.desk.preview(terms, on)
        total = sum(r.principal_due_minor + r.interest_due_minor for r in preview.instalments)
        asked = score_request(found, total // found.instalments, on)
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


def score_request(
    given: Application, monthly_minor: int, on: date
) -> risk_pb.ScoreApplicationRequest:
    """
    Return what risk is asked on a date.

    The request's id follows from its contents: asked again the same, it is the same decision; an
    answer that was lost yesterday stands in nobody's way today.
    """

    def money(amount_minor: int) -> money_pb2.Money:
        return money_pb2.Money(amount_minor=amount_minor, currency=given.currency)

    consented_on = given.income_consented_on
    asked = risk_pb.ScoreApplicationRequest(
        application_id=given.application_id,
        borrower_ref=given.borrower_ref,
        product=given.product,
        amount=money(given.amount_minor),
        instalments=given.instalments,
        monthly_income=money(given.monthly_income_minor),
        monthly_debt_payments=money(given.monthly_debt_payments_minor),
        monthly_instalment=money(max(1, monthly_minor)),
        other_lenders=given.other_lenders,
        enquiries_30d=given.enquiries_30d,
        age_years=given.age_years,
        attributes=given.attributes,
        guarantor_ref=next((g.provider_ref for g in given.guarantees if g.kind == GUARANTOR), ""),
        decided_on=on.isoformat(),
        purpose=given.purpose,
        region=given.region,
        partner_ref=given.partner_ref,
        partner_share=f"{given.partner_share:f}" if given.partner_share else "",
        verified_income=_verified(given),
        income_consented_on=consented_on.isoformat() if consented_on else "",
    )
    contents = hashlib.sha256(asked.SerializeToString(deterministic=True)).hexdigest()
    asked.request_id = f"score-{given.application_id}-{contents[:12]}"
    return asked


def _verified(given: Application) -> risk_pb.VerifiedIncome | None:
    if given.income is None:
        return None
    return risk_pb.VerifiedIncome(
        source=given.income.source,
        verified_on=given.income.verified_on.isoformat(),
        monthly=money_pb2.Money(amount_minor=given.income.monthly_minor, currency=given.currency),
    )
