"""Assess proposed instalments, keep what was assessed, and make any assessment again."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from services.risk.application.confirmed import confirm
from services.risk.application.informing import AskedOnce, used_as
from services.risk.application.ports import NoSource
from services.risk.application.watch import Income, Watch
from services.risk.domain.application import VerifiedIncome
from services.risk.domain.plan_affordability import Means, PlanAssessment, PlanPolicy, assess
from services.risk.domain.policy import Policies
from shared.kernel.errors import NotFound
from shared.runtime.records import Work


class AssessmentNotFound(NotFound):
    """No assessment was made by a request of this id."""


class Assessed(msgspec.Struct, frozen=True, kw_only=True):
    """One assessment and everything it looked at; kept for ever under its request's id."""

    assessment_id: str
    means: Means
    assessment: PlanAssessment


@dataclass(slots=True)
class Plans:
    """Whether the instalments of plans can be paid."""

    policies: Policies[PlanPolicy]
    watch: Watch | None = None
    incomes: AskedOnce[VerifiedIncome] = field(default_factory=lambda: AskedOnce(NoSource()))

    async def informed(self, means: Means, assessment_id: str) -> Means:
        """
        Return means with an income that the source confirms, unless they came with one.

        It is asked only with the borrower's consent, and not about what is refused.
        """
        self.assess(means, assessment_id)
        if means.income is not None or means.income_consented_on is None:
            return means
        about = means.borrower_ref, means.currency, means.income_consented_on
        found = await self.incomes.ask(assessment_id, *about)
        return msgspec.structs.replace(means, **used_as("income", found, means.assessed_on))

    def assess(self, means: Means, assessment_id: str) -> Assessed:
        """Assess under the policy of the date asked about; nothing is kept."""
        found = assess(means, self.policies.in_force(means.assessed_on))
        return Assessed(assessment_id=assessment_id, means=means, assessment=found)

    async def keep(self, work: Work, made: Assessed) -> None:
        """Keep an assessment; the income that it rests on is a sign of the borrower."""
        await work.put(made, made.assessment_id, str(made.assessment.outcome))
        means = made.means
        if means.income:
            await confirm(work, means.borrower_ref, means.currency, means.income)
        if self.watch and means.income:
            known = Income(means.income, means.assessed_on)
            await self.watch.earned(work, means.borrower_ref, means.currency, means.loan_id, known)

    async def get(self, work: Work, assessment_id: str) -> Assessed:
        """Return an assessment, or raise AssessmentNotFound."""
        found = await work.get(Assessed, assessment_id)
        if found is None:
            raise AssessmentNotFound(f"no assessment {assessment_id}", field="assessment_id")
        return found

    def again(self, made: Assessed) -> Assessed:
        """Make an assessment again from what was stored, under the version of then."""
        policy = self.policies.version(made.assessment.policy_version)
        return msgspec.structs.replace(made, assessment=assess(made.means, policy))
