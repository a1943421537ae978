"""Decide on applications, keep what was decided, and make any decision again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import msgspec

from services.risk.application.book import Decided, Latest, gathered, latest
from services.risk.application.exposures import Exposures
from services.risk.domain.affordability import earlier_income
from services.risk.domain.application import Application
from services.risk.domain.decision import Decision, Models, decide
from services.risk.domain.policy import Policies, Policy
from services.risk.domain.reports import Confirmed
from shared.kernel.errors import NotFound
from shared.runtime.records import Records, Work

NOTHING = Confirmed()


class DecisionNotFound(NotFound):
    """No decision was made on this application."""


@dataclass(slots=True)
class Deciding:
    """Everything a decision needs beyond the application."""

    book: Exposures
    policies: Policies[Policy]
    models: Models

    @property
    def records(self) -> Records:
        """The database of decisions and exposures."""
        return self.book.records

    def decide(
        self, application: Application, decision_id: str, confirmed: Confirmed = NOTHING
    ) -> Decided:
        """
        Decide on an application, as our own book now stands, under the policy of its date.

        Args:
            application: With all that others said of the borrower.
            decision_id: The request that asked.
            confirmed: What was confirmed of the borrower's income before.
        """
        known = gathered(application, self.book)
        policy = self.policies.in_force(application.decided_on)
        earlier = earlier_income(confirmed, application, policy)
        known = msgspec.structs.replace(known, income_earlier=earlier)
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
