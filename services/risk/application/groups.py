"""Raise early warnings of groups of loans, from the books kept."""

from __future__ import annotations

from dataclasses import dataclass

from services.risk.application.portfolio import Portfolios
from services.risk.application.watch import Watch
from services.risk.domain.early_warning import Alert
from services.risk.domain.group_warning import DIMENSION_OF, GroupRules, group_alerts


@dataclass(slots=True)
class Groups:
    """Has the alerts of groups be what the books kept say; done again it changes nothing."""

    portfolios: Portfolios
    watch: Watch
    rules: GroupRules

    async def settle(self, currency: str) -> list[Alert]:
        """Raise, and withdraw, alerts by all books kept of a currency; returns what stands."""
        dates = await self.portfolios.dates(currency)
        if not dates:
            return []
        dates, history = await self.portfolios.history(dates[-1], currency)
        known_on = await self.portfolios.known_on(currency)
        wanted = group_alerts(history, dates, known_on, self.rules, currency)
        async with self.portfolios.exposures.work() as work:
            stored: dict[str, Alert] = {}
            for indicator in DIMENSION_OF:
                async for one in work.every(Alert, state=str(indicator)):
                    if one.alert_id.endswith(f".{currency}"):
                        stored[one.alert_id] = one
            await self.watch.settle_groups(work, stored, wanted, max(known_on.values()))
        return list(wanted.values())
