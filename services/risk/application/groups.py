"""Raise early warnings of groups of loans, from the books kept."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import msgspec

from services.risk.application.portfolio import BookKept, Portfolios
from services.risk.application.watch import Watch
from services.risk.domain.book import BookRow, is_month_end
from services.risk.domain.early_warning import Alert
from services.risk.domain.group_warning import (
    DIMENSION_OF,
    GroupRules,
    MonthCounted,
    counted,
    group_alerts,
    window,
)


class GroupsCounted(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted at a month end, and the digest of all that it was counted from."""

    counted_from: str
    month: MonthCounted


@dataclass(slots=True)
class Groups:
    """Has the alerts of groups be what the books kept say; done again it changes nothing."""

    portfolios: Portfolios
    watch: Watch
    rules: GroupRules

    async def settle(self, currency: str) -> list[Alert]:
        """Raise, and withdraw, alerts by all books kept of a currency; returns what stands."""
        kept = {one.as_of: one for one in await self.portfolios.kept(currency)}
        if not kept:
            return []
        known_on = {on: one.known_on or on for on, one in kept.items()}
        months = await self._months(kept, currency)
        wanted = group_alerts(months, known_on, self.rules, currency)
        async with self.portfolios.exposures.work() as work:
            stored: dict[str, Alert] = {}
            for indicator in DIMENSION_OF:
                async for one in work.every(Alert, state=str(indicator)):
                    if one.alert_id.endswith(f".{currency}"):
                        stored[one.alert_id] = one
            await self.watch.settle_groups(work, stored, wanted, max(known_on.values()))
        return list(wanted.values())

    async def _months(self, kept: dict[date, BookKept], currency: str) -> list[MonthCounted]:
        """Return what each month end counts; books are read where one of its window changed."""
        ends = [on for on in kept if is_month_end(on)]
        books: dict[date, list[BookRow]] = {}
        found = []
        for on in ends:
            looked_at, name = window(ends, on, self.rules), f"{currency}.{on}"
            counted_from = _digest([kept[one] for one in looked_at], self.rules)
            async with self.portfolios.records.work() as work:
                before = await work.get(GroupsCounted, name)
            if before is not None and before.counted_from == counted_from:
                found.append(before.month)
                continue
            books = {
                one: books.get(one) or await self.portfolios.book(one, currency)
                for one in looked_at
            }
            month = await asyncio.to_thread(counted, list(books.items()), self.rules)
            found.append(month)
            if counted_from:
                async with self.portfolios.records.work() as work:
                    await work.put(GroupsCounted(counted_from=counted_from, month=month), name)
        return found


def _digest(kept: Sequence[BookKept], rules: GroupRules) -> str:
    """Return the SHA-256 of what is counted from; empty while an earlier version kept a book."""
    if not all(one.digest for one in kept):
        return ""
    parts = [str(rules.early_months), *(f"{one.as_of} {one.digest}" for one in kept)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
