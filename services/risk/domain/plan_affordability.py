"""Can the borrower pay a proposed instalment: income, living costs, debts and other loans."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum

import msgspec

from services.risk.domain.affordability import income_gap, ratio_of
from services.risk.domain.application import FactAfterDecision, VerifiedIncome
from services.risk.domain.encoding import encoded
from services.risk.domain.reasons import REASONS, Reason
from services.risk.domain.rules import (
    Finding,
    Severity,
    confirmation_unusable,
    declines,
    places,
    refers,
)

LATER = {"income_consented_on": None, "income_unusable": ""}
"""Fields that assessments of earlier versions did not have, and what they say when empty."""


class PlanPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the rules; ratios are fractions, amounts minor units per month."""

    version: str
    effective_from: date
    debt_service_ratio_max: Decimal
    living_costs_minor_min: int
    left_over_minor_min: int
    income_contradiction_max: Decimal
    income_days_max: int


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """What a borrower has and owes per month, as known on a date; minor units of one currency."""

    borrower_ref: str
    loan_id: str
    plan_ref: str
    assessed_on: date
    currency: str
    instalment_minor: int
    income_stated_minor: int
    living_costs_minor: int
    debt_payments_minor: int
    other_instalments_minor: int
    income: VerifiedIncome | None = None
    income_consented_on: date | None = None
    income_unusable: str = ""

    @property
    def income_minor(self) -> int:
        """Return the income that counts: what is confirmed, if it is lower."""
        confirmed = self.income.monthly_minor if self.income else self.income_stated_minor
        return min(self.income_stated_minor, confirmed)

    @property
    def others_minor(self) -> int:
        """Return all payments but the proposed instalment."""
        return self.debt_payments_minor + self.other_instalments_minor

    def check_dates(self) -> None:
        """
        Refuse what nobody can have known.

        Raises:
            FactAfterDecision: a consent or a confirmation dated after the assessment.
        """
        dated = {
            "verified_income.verified_on": self.income.verified_on if self.income else None,
            "income_consented_on": self.income_consented_on,
        }
        for field, on in dated.items():
            if on is not None and on > self.assessed_on:
                expected = f"on or before {self.assessed_on}"
                raise FactAfterDecision(
                    f"{on} is after {self.assessed_on}", field=field, expected=expected
                )

    def encoded(self) -> bytes:
        """Return everything looked at as JSON: the same facts, the same bytes."""
        return encoded(self, LATER)

    def digest(self) -> str:
        """Return the SHA-256 of `encoded`."""
        return hashlib.sha256(self.encoded()).hexdigest()


class PlanOutcome(StrEnum):
    """Whether the instalment can be paid, or a person must look."""

    AFFORDABLE = "AFFORDABLE"
    NOT_AFFORDABLE = "NOT_AFFORDABLE"
    REFERRED = "REFERRED"


class PlanAssessment(msgspec.Struct, frozen=True, kw_only=True):
    """What came out, with every rule; the ratio is rounded half-even to four places."""

    outcome: PlanOutcome
    debt_service_ratio: Decimal
    disposable_minor: int
    instalment_affordable_minor: int
    findings: tuple[Finding, ...]
    policy_version: str
    input_digest: str

    @property
    def reasons(self) -> list[Reason]:
        """Return why not, what decides first."""
        return [REASONS[one.code] for one in self.findings if one.failed]


def assess(means: Means, policy: PlanPolicy) -> PlanAssessment:
    """
    Assess a proposed instalment.

    The lower of stated and confirmed income counts, and the higher of stated and the policy's
    least living costs. An instalment that fails a bound is not affordable; one that passes on
    income that is old or contradicts itself is for a person. A payment holiday, an instalment of
    nought, fails no bound: those who have nothing left are whom it is for.

    Raises:
        FactAfterDecision: something dated after the assessment was given.
    """
    means.check_dates()
    paid = means.others_minor + means.instalment_minor
    found = _findings(means, policy)
    return PlanAssessment(
        outcome=_outcome(found),
        debt_service_ratio=places(ratio_of(Decimal(paid), Decimal(means.income_minor))),
        disposable_minor=_left(means, policy) - means.instalment_minor,
        instalment_affordable_minor=instalment_affordable(means, policy),
        findings=found,
        policy_version=policy.version,
        input_digest=means.digest(),
    )


def instalment_affordable(means: Means, policy: PlanPolicy) -> int:
    """Return the largest instalment that both bounds allow, minor units per month; 0 for none."""
    by_ratio = means.income_minor * policy.debt_service_ratio_max - means.others_minor
    by_costs = _left(means, policy) - policy.left_over_minor_min
    return max(0, min(int(by_ratio.to_integral_value(ROUND_FLOOR)), by_costs))


def _left(means: Means, policy: PlanPolicy) -> int:
    living = max(means.living_costs_minor, policy.living_costs_minor_min)
    return means.income_minor - living - means.others_minor


def _findings(means: Means, policy: PlanPolicy) -> tuple[Finding, ...]:
    paid = Decimal(means.others_minor + means.instalment_minor)
    ratio, most = ratio_of(paid, Decimal(means.income_minor)), policy.debt_service_ratio_max
    left, least = _left(means, policy) - means.instalment_minor, policy.left_over_minor_min
    asked = means.instalment_minor > 0
    found = [
        declines("DEBT_SERVICE_TOO_HIGH", places(ratio), f"at most {most}", asked and ratio > most),
        declines("NOTHING_LEFT_TO_LIVE_ON", left, f"{least} or more", asked and left < least),
    ]
    if means.income_unusable:
        found.append(confirmation_unusable(means.income_unusable))
    if means.income is not None:
        gap = income_gap(means.income_stated_minor, means.income)
        widest = policy.income_contradiction_max
        found.append(refers("INCOME_CONTRADICTORY", places(gap), f"at most {widest}", gap > widest))
        days, oldest = (means.assessed_on - means.income.verified_on).days, policy.income_days_max
        found.append(refers("INCOME_STALE", days, f"at most {oldest} days", days > oldest))
    return tuple(found)


def _outcome(found: tuple[Finding, ...]) -> PlanOutcome:
    failed = {one.severity for one in found if one.failed}
    if Severity.DECLINES in failed:
        return PlanOutcome.NOT_AFFORDABLE
    return PlanOutcome.REFERRED if failed else PlanOutcome.AFFORDABLE
