"""Decide on applications, keep what was decided, and make any decision again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import msgspec

from services.risk.application.book import Decided, Latest, gathered, latest
from services.risk.application.exposures import Exposures
from services.risk.application.ports import BureauSource, NoBureau, Unusable
from services.risk.domain.application import Application, BureauReport
from services.risk.domain.decision import Decision, Models, decide
from services.risk.domain.policy import Policies, Policy
from shared.kernel.errors import NotFound
from shared.runtime.records import Records, Work


class DecisionNotFound(NotFound):
    """No decision was made on this application."""


@dataclass(slots=True)
class Deciding:
    """Everything a decision needs beyond the application."""

    book: Exposures
    policies: Policies[Policy]
    models: Models
    bureau: BureauSource = field(default_factory=NoBureau)

    @property
    def records(self) -> Records:
        """The database of decisions and exposures."""
        return self.book.records

    def asks(self, application: Application) -> bool:
        """Say whether a bureau is to be asked about an application."""
        return application.bureau is None and not isinstance(self.bureau, NoBureau)

    async def informed(self, application: Application) -> Application:
        """
        Return an application with the bureau's report, unless it came with one.

        One that cannot be used, such as one that the source dates after the decision, is not: the
        application says why, and is looked at.
        """
        if application.bureau is not None:
            return application
        found = await self.bureau.report(application.borrower_ref, application.currency)
        if found is None:
            return application
        if isinstance(found, BureauReport):
            latest_on = max(found.reported_on, found.consented_on or found.reported_on)
            if latest_on > application.decided_on:
                found = Unusable(f"{found.report_id} is of {latest_on}, after the decision")
        if isinstance(found, Unusable):
            return msgspec.structs.replace(application, bureau_unusable=found.why)
        return msgspec.structs.replace(application, bureau=found)

    def decide(self, application: Application, decision_id: str) -> Decided:
        """Decide on an application, as our own book now stands, under the policy of its date."""
        known = gathered(application, self.book)
        policy = self.policies.in_force(application.decided_on)
        decision = decide(known, policy, self.models)
        return Decided(decision_id=decision_id, application=known, decision=decision)

    async def keep(self, work: Work, made: Sequence[Decided]) -> None:
        """Keep decisions, one per application, and reserve what was approved."""
        await work.put_all(
            Decided, {one.decision_id: (one, one.decision.policy_version) for one in made}
        )
        newest = {
            one.application.application_id: (
                Latest(decision_id=one.decision_id),
                str(one.decision.outcome),
            )
            for one in made
        }
        await work.put_all(Latest, newest)

    async def latest(self, application_id: str) -> Decided:
        """Return the latest decision on an application, or raise DecisionNotFound."""
        async with self.records.work() as work:
            found = await latest(work, application_id)
        if found is None:
            raise DecisionNotFound(f"no decision on {application_id}", field="application_id")
        return found

    def again(self, decided: Decided) -> Decision:
        """Make a decision again from what was stored, under the versions of then."""
        policy = self.policies.version(decided.decision.policy_version)
        again = decide(decided.application, policy, self.models)
        if decided.decision.rules_digest:
            return again
        # Decisions of earlier versions did not say by which contents they were made.
        return msgspec.structs.replace(again, rules_digest="")

    async def every(self) -> AsyncIterator[Decided]:
        """Return every decision ever made, in order of its id."""
        async with self.records.work() as work:
            async for one in work.every(Decided):
                yield one
