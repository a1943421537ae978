"""Decide on applications, keep what was decided, and make any decision again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import msgspec

from services.risk.application.book import Decided, Latest, gathered, latest
from services.risk.application.exposures import Exposures
from services.risk.application.ports import BureauSource, NoBureau, Unusable
from services.risk.domain.application import Application, BureauReport
from services.risk.domain.decision import Decision, Models, decide
from services.risk.domain.policy import Policies, Policy
from services.risk.domain.reports import usable_report
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
    enquiries: dict[str, asyncio.Future[BureauReport | Unusable | None]] = field(
        default_factory=dict
    )

    @property
    def records(self) -> Records:
        """The database of decisions and exposures."""
        return self.book.records

    @property
    def has_bureau(self) -> bool:
        """Say whether there is a bureau that can be asked."""
        return not isinstance(self.bureau, NoBureau)

    async def informed(self, application: Application, *, ask: bool = True) -> Application:
        """
        Return an application with a bureau's report, unless it came with one.

        What an earlier decision on it saw is used again while it is fresh: others see every
        enquiry, so a bureau is asked once. A report that cannot be used, such as one that the
        source dates after the decision, is not: the application says why, and is looked at.

        Args:
            application: As it was asked for.
            ask: Whether the bureau may be asked, if nothing is known.
        """
        if application.bureau is not None:
            return application
        found = await self._seen_before(application)
        if found is None and ask:
            found = await self._enquire(application)
        if found is None:
            return application
        if isinstance(found, BureauReport):
            latest_on = max(found.reported_on, found.consented_on or found.reported_on)
            if latest_on > application.decided_on:
                found = Unusable(f"{found.report_id} is of {latest_on}, after the decision")
        if isinstance(found, Unusable):
            return msgspec.structs.replace(application, bureau_unusable=found.why)
        return msgspec.structs.replace(application, bureau=found)

    async def _seen_before(self, application: Application) -> BureauReport | None:
        """Return the report that the latest decision on the application saw, while it is fresh."""
        async with self.records.work() as work:
            before = await latest(work, application.application_id)
        report = before.application.bureau if before else None
        given = before.application if before else application
        same = (given.borrower_ref, given.currency) == (
            application.borrower_ref,
            application.currency,
        )
        if report is None or not same:
            return None
        policy = self.policies.in_force(application.decided_on)
        return usable_report(msgspec.structs.replace(application, bureau=report), policy)

    async def _enquire(self, application: Application) -> BureauReport | Unusable | None:
        """Ask the bureau; whoever asks about the application meanwhile shares the answer."""
        name = application.application_id
        if name not in self.enquiries:
            asked = self.bureau.report(application.borrower_ref, application.currency)
            self.enquiries[name] = asyncio.ensure_future(asked)
        return await asyncio.shield(self.enquiries[name])

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
