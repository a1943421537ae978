"""Watch the cards in use: who applied since, and how those who were approved turned out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from services.risk.application.book import Decided
from services.risk.application.deciding import Deciding
from services.risk.application.portfolio import Portfolios
from services.risk.domain.book import SETTLED, BookRow, is_bad
from services.risk.domain.decision import Outcome
from services.risk.domain.monitoring import MonitoringRules, Watched, drift, performance
from services.risk.domain.scorecard import probability_of_default
from services.risk.domain.vintage import months_between

SEASONED_MONTHS = 12
"""A loan that was never bad counts as good once it is settled, or this old."""


@dataclass(slots=True)
class Monitoring:
    """Decisions are risk's own; outcomes come from the books kept."""

    deciding: Deciding
    portfolios: Portfolios
    rules: MonitoringRules

    async def figures(self, since: date, as_of: date, currency: str) -> dict[str, list[Watched]]:
        """
        Return what is watched of each card, by version.

        Raises:
            BookNotKept: the book of `as_of` was not kept.
        """
        decisions: dict[str, list[Decided]] = defaultdict(list)
        async for decided in self.deciding.every():
            given = decided.application
            if since <= given.decided_on <= as_of and given.currency == currency:
                decisions[decided.decision.model_version].append(decided)
        outcomes = outcomes_of(await self.portfolios.history(as_of, currency), as_of)
        return {
            version: self._card(version, found, outcomes)
            for version, found in sorted(decisions.items())
        }

    def _card(
        self, version: str, decisions: Sequence[Decided], outcomes: Mapping[str, bool]
    ) -> list[Watched]:
        card, found = self.deciding.models.card(version), []
        if card.origin is not None:
            applicants = [one.application.attributes for one in decisions]
            for item in card.characteristics:
                values = [given.get(item.name, "") for given in applicants]
                found.append(drift(item, values, card.origin.applications, self.rules))
        known = [
            (
                probability_of_default(card, one.decision.score),
                outcomes[one.application.borrower_ref],
            )
            for one in decisions
            if one.decision.outcome is Outcome.APPROVED and one.application.borrower_ref in outcomes
        ]
        if known:
            said, bad = zip(*known, strict=True)
            expected = self.rules.auc_expected.get(version, 0.5)
            found += performance(said, bad, expected, self.rules)
        return found


def outcomes_of(history: Sequence[Sequence[BookRow]], as_of: date) -> dict[str, bool]:
    """Return, per borrower whose outcome is known, whether any loan was bad by a date."""
    found: dict[str, bool] = {}
    for row in (row for book in history for row in book):
        done = row.state == SETTLED or months_between(row.disbursed_on, as_of) >= SEASONED_MONTHS
        if is_bad(row) or found.get(row.borrower_ref):
            found[row.borrower_ref] = True
        elif done:
            found.setdefault(row.borrower_ref, False)
    return found
