"""Watch the cards in use: who applied since, and how those who were paid out turned out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec

from services.risk.application.book import Decided, Latest
from services.risk.application.deciding import Deciding
from services.risk.application.portfolio import Portfolios
from services.risk.domain.monitoring import (
    Calibrated,
    MonitoringRules,
    Watched,
    calibrated,
    drift,
    performance,
)
from services.risk.domain.outcomes import LoanOutcome, outcomes
from services.risk.domain.population import Population, with_population
from services.risk.domain.scorecard import Scorecard, probability_of_default


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """
    One quarter, such as "2026 Q1".

    Drift is of who applied in it; performance of loans paid out in it.
    """

    name: str
    drift: tuple[Watched, ...]
    performance: tuple[Watched, ...]


class CardWatched(msgspec.Struct, frozen=True, kw_only=True):
    """One card: over all the time asked about, by quarter, and what was said against what came."""

    version: str
    figures: tuple[Watched, ...]
    periods: tuple[Period, ...]
    calibration: tuple[Calibrated, ...]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a card said of a loan, and how the loan turned out."""

    probability: float
    outcome: LoanOutcome


@dataclass(slots=True)
class Monitoring:
    """Decisions are risk's own; outcomes come from the books kept."""

    deciding: Deciding
    portfolios: Portfolios
    rules: MonitoringRules
    populations: Mapping[str, Population] = field(default_factory=dict)

    async def figures(self, since: date, as_of: date, currency: str) -> list[CardWatched]:
        """
        Return what is watched of each card, in order of version.

        Raises:
            BookNotKept: the book of `as_of` was not kept.
        """
        dates, history = await self.portfolios.history(as_of, currency)
        ended = outcomes(history, dates, self.rules.window_months)
        by_application = await self._decisions(since, as_of, currency)
        async with self.deciding.records.work() as work:
            newest = {one.decision_id async for one in work.every(Latest)}
            loans = await self.deciding.book.loans(work)
        applied = [latest_of(found, newest) for found in by_application.values()]
        paid = list(_paid(by_application, newest, loans, ended))
        versions = {one.decision.model_version for one in applied}
        versions |= {one.decision.model_version for one, _ in paid}
        return [
            self._card(
                with_population(self.deciding.models.card(version), self.populations.get(version)),
                [one for one in applied if one.decision.model_version == version],
                [(one, how) for one, how in paid if one.decision.model_version == version],
            )
            for version in sorted(versions)
        ]

    async def _decisions(self, since: date, as_of: date, currency: str) -> dict[str, list[Decided]]:
        found: dict[str, list[Decided]] = defaultdict(list)
        async for decided in self.deciding.every():
            given = decided.application
            if since <= given.decided_on <= as_of and given.currency == currency:
                found[given.application_id].append(decided)
        return found

    def _card(
        self,
        card: Scorecard,
        applied: Sequence[Decided],
        paid: Sequence[tuple[Decided, LoanOutcome]],
    ) -> CardWatched:
        said = [
            Said(
                probability=float(probability_of_default(card, one.decision.score)),
                outcome=how,
            )
            for one, how in paid
        ]
        drifts: dict[str, list[Decided]] = defaultdict(list)
        cohorts: dict[str, list[Said]] = defaultdict(list)
        for one in applied:
            drifts[quarter(one.application.decided_on)].append(one)
        for loan in said:
            cohorts[quarter(loan.outcome.disbursed_on)].append(loan)
        periods = [
            Period(
                name=name,
                drift=self._drift(card, drifts.get(name, [])),
                performance=self._performance(card, cohorts.get(name, [])),
            )
            for name in sorted({*drifts, *cohorts})
        ]
        return CardWatched(
            version=card.version,
            figures=(*self._drift(card, applied), *self._performance(card, said)),
            periods=tuple(periods),
            calibration=calibrated(
                [one.probability for one in said], [one.outcome.bad for one in said]
            ),
        )

    def _drift(self, card: Scorecard, decisions: Sequence[Decided]) -> tuple[Watched, ...]:
        if card.origin is None or not decisions:
            return ()
        applicants = [one.application.attributes for one in decisions]
        return tuple(
            drift(
                item,
                [given.get(item.name, "") for given in applicants],
                card.origin.applications,
                self.rules,
            )
            for item in card.characteristics
        )

    def _performance(self, card: Scorecard, said: Sequence[Said]) -> tuple[Watched, ...]:
        expected = self.rules.auc_expected.get(card.version, 0.5)
        probabilities = [one.probability for one in said]
        return tuple(
            performance(probabilities, [one.outcome.bad for one in said], expected, self.rules)
        )


def latest_of(decisions: Iterable[Decided], newest: set[str]) -> Decided:
    """Return the latest of an application's decisions; `newest` are the latest ever made."""
    return max(decisions, key=lambda one: (one.application.decided_on, one.decision_id in newest))


def _paid(
    decisions: Mapping[str, Sequence[Decided]],
    newest: set[str],
    loans: Mapping[str, str],
    ended: Mapping[str, LoanOutcome],
) -> Iterable[tuple[Decided, LoanOutcome]]:
    """
    Yield each loan whose outcome is known with the decision that it was paid out on.

    Whoever approved it: what counts is that the card said something, and the loan was made.
    """
    for application_id, found in decisions.items():
        outcome = ended.get(loans.get(application_id, ""))
        if outcome is None:
            continue
        before = [one for one in found if one.application.decided_on <= outcome.disbursed_on]
        if before:
            yield latest_of(before, newest), outcome


def quarter(on: date) -> str:
    """Return the quarter of a date, such as "2026 Q1"."""
    return f"{on.year} Q{(on.month + 2) // 3}"
