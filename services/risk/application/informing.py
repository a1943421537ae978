"""What others say of a borrower: each source is asked once about an application."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic

import msgspec

from services.risk.application.book import latest
from services.risk.application.ports import Fact, NoSource, Source, Unusable
from services.risk.domain.application import Application, BureauReport, VerifiedIncome
from services.risk.domain.decision import check
from services.risk.domain.policy import Policies, Policy
from services.risk.domain.reports import fresh_income, usable_report
from shared.runtime.records import Records


@dataclass(slots=True)
class AskedOnce(Generic[Fact]):
    """One source; whoever asks about the same application or plan meanwhile shares the answer."""

    source: Source[Fact]
    waiting: dict[str, asyncio.Future[Fact | Unusable | None]] = field(default_factory=dict)

    @property
    def answers(self) -> bool:
        """Say whether there is anybody to ask."""
        return not isinstance(self.source, NoSource)

    async def ask(
        self, name: str, borrower_ref: str, currency: str, consented_on: date | None = None
    ) -> Fact | Unusable | None:
        """Ask about a borrower; `name` is what it is asked for."""
        if name not in self.waiting:
            asked = self.source.ask(borrower_ref, currency, consented_on)
            self.waiting[name] = asyncio.ensure_future(asked)
        return await asyncio.shield(self.waiting[name])

    def kept(self, name: str) -> None:
        """Forget the answer: from here on it is kept with what was decided."""
        self.waiting.pop(name, None)


@dataclass(slots=True)
class Informing:
    """The sources of facts about borrowers, and the policies that say what of them is fresh."""

    records: Records
    policies: Policies[Policy]
    bureau: AskedOnce[BureauReport]
    incomes: AskedOnce[VerifiedIncome]

    @classmethod
    def of(
        cls,
        records: Records,
        policies: Policies[Policy],
        bureau: Source[BureauReport],
        incomes: Source[VerifiedIncome],
    ) -> Informing:
        """Return what asks these sources."""
        return cls(records, policies, AskedOnce(bureau), AskedOnce(incomes))

    @property
    def answers(self) -> bool:
        """Say whether there is anybody to ask."""
        return self.bureau.answers or self.incomes.answers

    async def informed(self, given: Application, *, ask: bool = True) -> Application:
        """
        Return an application with a bureau's report and a confirmed income, unless it came with
        them.

        What an earlier decision on it saw is used again while it is fresh: others see every
        enquiry, so a source is asked once, and the source of incomes only with the borrower's
        consent. What cannot be used, such as what the source dates after the decision, is not: the
        application says why, and is looked at. What no decision is made on is no enquiry.

        Args:
            given: As it was asked for.
            ask: Whether anybody may be asked, if nothing is known.
        """
        check(given, self.policies.in_force(given.decided_on))
        before = await self._before(given)
        report, income = await asyncio.gather(
            self._report(given, before, ask=ask), self._income(given, before, ask=ask)
        )
        on = given.decided_on
        used = {**used_as("bureau", report, on), **used_as("income", income, on)}
        return msgspec.structs.replace(given, **used)

    async def _report(
        self, given: Application, before: Application | None, *, ask: bool
    ) -> BureauReport | Unusable | None:
        report = given.bureau
        if report is None and before is not None:
            seen = msgspec.structs.replace(given, bureau=before.bureau)
            report = usable_report(seen, self.policies.in_force(given.decided_on))
        if report is not None or not ask:
            return report
        return await self.bureau.ask(given.application_id, given.borrower_ref, given.currency)

    async def _income(
        self, given: Application, before: Application | None, *, ask: bool
    ) -> VerifiedIncome | Unusable | None:
        income, consented_on = given.income, given.income_consented_on
        if income is None and before is not None:
            policy = self.policies.in_force(given.decided_on)
            income = fresh_income(before.income, given.decided_on, policy)
        if income is not None or not ask or consented_on is None:
            return income
        name = given.application_id
        return await self.incomes.ask(name, given.borrower_ref, given.currency, consented_on)

    async def _before(self, given: Application) -> Application | None:
        """Return what the latest decision on an application looked at, if it is the same one."""
        async with self.records.work() as work:
            decided = await latest(work, given.application_id)
        if decided is None:
            return None
        before = decided.application
        same = (before.borrower_ref, before.currency) == (given.borrower_ref, given.currency)
        return before if same else None

    def kept(self, application_id: str) -> None:
        """Forget what was said of an application: from here on it is kept with the decision."""
        self.bureau.kept(application_id)
        self.incomes.kept(application_id)


def used_as(
    name: str, found: BureauReport | VerifiedIncome | Unusable | None, on: date
) -> dict[str, Any]:
    """Return what of an answer is looked at on a date: the fact, or why it is not used."""
    if found is None:
        return {}
    if not isinstance(found, Unusable):
        if found.known_from <= on:
            return {name: found}
        found = Unusable(f"{found.name} is of {found.known_from}, after the decision")
    return {f"{name}_unusable": found.why}
