"""Decide on applications, keep what was decided, and make any decision again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec

from services.risk.application.book import Decided, gathered, keep_decision, latest
from services.risk.application.ports import BureauSource, NoBureau
from services.risk.domain.application import Application
from services.risk.domain.decision import Decision, Models, decide
from services.risk.domain.policy import Policies
from shared.kernel.errors import NotFound
from shared.runtime.records import Records, Work

PAGE = 500


class DecisionNotFound(NotFound):
    """No decision was made on this application."""


@dataclass(slots=True)
class Deciding:
    """Everything a decision needs beyond the application."""

    records: Records
    policies: Policies
    models: Models
    bureau: BureauSource = field(default_factory=NoBureau)

    async def informed(self, application: Application) -> Application:
        """
        Return an application with the bureau's report, unless it came with one.

        A report that the source dates after the decision is not one that could be used.
        """
        if application.bureau is not None:
            return application
        found = await self.bureau.report(application.borrower_ref, application.currency)
        if found is None:
            return application
        consented_on = found.consented_on or found.reported_on
        if max(found.reported_on, consented_on) > application.decided_on:
            return application
        return msgspec.structs.replace(application, bureau=found)

    async def decide(
        self, work: Work, application: Application, decision_id: str, *, keep: bool = True
    ) -> Decided:
        """Decide on an application under the policy in force on its date, and keep it if asked."""
        known = await gathered(work, application)
        policy = self.policies.in_force(application.decided_on)
        decision = decide(known.application, policy, self.models)
        decided = Decided(decision_id=decision_id, application=known.application, decision=decision)
        if keep:
            await keep_decision(work, decided, known)
        return decided

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
        return decide(decided.application, policy, self.models)

    async def every(self) -> AsyncIterator[Decided]:
        """Return every decision ever made, in order of its id."""
        after = ""
        while True:
            async with self.records.work() as work:
                page = await work.find(Decided, after=after, limit=PAGE)
            for one in page:
                yield one
            if len(page) < PAGE:
                return
            after = page[-1].decision_id
