"""A decision joins rules and score, and always says why."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from services.risk.domain.policy import Application, Policy, Reason, failed_rules
from services.risk.domain.scorecard import (
    REASONS_MAX,
    Characteristic,
    Scorecard,
    probability_of_default,
    score,
)


class Outcome(StrEnum):
    """What came out."""

    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    REFERRED = "REFERRED"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision under one version of rules and card."""

    application_id: str
    outcome: Outcome
    score: int
    probability_of_default: Decimal
    reasons: tuple[Reason, ...]
    policy_version: str
    model_version: str
    product: str = ""
    currency: str = ""
    amount_minor: int = 0


def decide(application: Application, policy: Policy, card: Scorecard) -> Decision:
    """Decide: a failed rule declines; beyond that the probability of default decides."""
    failed = failed_rules(application, policy)
    points, weak = score(card, application.attributes)
    probability = probability_of_default(card, points)
    reasons = [*failed, *(_reason(item) for item in weak)][:REASONS_MAX]
    if failed or probability >= policy.probability_of_default_declined_from:
        outcome = Outcome.DECLINED
    elif probability >= policy.probability_of_default_referred_from:
        outcome = Outcome.REFERRED
    else:
        outcome = Outcome.APPROVED
    return Decision(
        application_id=application.application_id,
        outcome=outcome,
        score=points,
        probability_of_default=probability,
        reasons=tuple(reasons),
        policy_version=policy.version,
        model_version=card.version,
        product=application.product,
        currency=application.currency,
        amount_minor=application.amount_minor,
    )


def _reason(item: Characteristic) -> Reason:
    return Reason(item.name.upper(), item.text_en, item.text_zh)
