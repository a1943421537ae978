"""Keep the book at month ends, and answer for the whole of it."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING
from typing import Protocol

import msgspec

from services.risk.application.exposures import Exposures
from services.risk.domain.book import BookRow, Eased, placed, with_easing
from services.risk.domain.early_warning import Alert, watched_on
from services.risk.domain.loss_sharing import (
    LossSharing,
    Secured,
    SharingRules,
    loss_sharing,
    risk_weighted,
)
from services.risk.domain.portfolio import Portfolio, balances, portfolio, valued
from services.risk.domain.reservation import balance
from services.risk.domain.staging import LossRules
from shared.kernel.errors import NotFound, Refused
from shared.runtime.records import Records, Work

ROWS = 1_000


class BookNotKept(NotFound):
    """The book of this date was not kept; `python -m services.risk keep-book` keeps it."""


class DateNotReached(Refused):
    """A book is kept of what was, not of what would be if nobody paid from today on."""


class Book(Protocol):
    """Whoever knows the loans."""

    async def on(self, as_of: date, currency: str) -> list[BookRow]:
        """
        Return every loan paid out by a date, as it was on it.

        Raises:
            DateNotReached: it lies after the business date.
        """

    async def known(self) -> tuple[date, str]:
        """Return the business date, and the instant up to which its facts count, RFC 3339."""


class BookPart(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows of the book on one date."""

    as_of: date
    rows: tuple[BookRow, ...]


class BookKept(msgspec.Struct, frozen=True, kw_only=True):
    """
    That the book of one date is kept whole, and in how many parts.

    `known_on` is the business date on which it was, `known_at` the instant up to which the
    ledger's facts count in all of it, and `digest` the SHA-256 of its rows; earlier versions said
    none of them.
    """

    as_of: date
    parts: int
    known_on: date | None = None
    known_at: str = ""
    digest: str = ""


@dataclass(slots=True)
class Portfolios:
    """Figures come from books that were kept, so that the same question has the same answer."""

    exposures: Exposures
    rules: LossRules
    sharing_rules: SharingRules

    @property
    def records(self) -> Records:
        """The database of the books kept."""
        return self.exposures.records

    async def keep(self, book: Book, as_of: date, currency: str) -> int:
        """
        Keep the book of a date, replacing what was kept of it; returns its loans.

        What each loan still owes is from then on what it counts towards our limits.

        Raises:
            DateNotReached: the date lies after the business date; nothing is kept.
        """
        rows, (known_on, known_at) = await book.on(as_of, currency), await book.known()
        digest = hashlib.sha256()
        parts = [tuple(rows[start : start + ROWS]) for start in range(0, len(rows), ROWS)]
        async with self.exposures.work() as work:
            for number, part in enumerate(parts):
                name = f"{currency}.{as_of}.{number:06}"
                eased = await work.get_all(Eased, [row.loan_id for row in part])
                known = [with_easing(r, eased.get(r.loan_id), as_of) for r in part]
                rows_kept = await self._count(work, known, as_of)
                digest.update(msgspec.json.encode(rows_kept))
                await work.put(BookPart(as_of=as_of, rows=rows_kept), name, currency)
            kept = BookKept(
                as_of=as_of,
                parts=len(parts),
                known_on=known_on,
                known_at=known_at,
                digest=digest.hexdigest(),
            )
            await work.put(kept, f"{currency}.{as_of}", currency)
        return len(rows)

    async def _count(self, work: Work, rows: list[BookRow], as_of: date) -> tuple[BookRow, ...]:
        """Count balances towards our limits; returns the rows with where their loans count."""
        owed = {row.loan_id: row.balance_minor for row in rows}
        found = await self.exposures.of_loans(work, owed)
        after = [balance(one, owed[one.loan_id], as_of) for one in found]
        changed = [now for one, now in zip(found, after, strict=True) if now != one]
        await self.exposures.put(work, changed)
        by_loan = {one.loan_id: one.values for one in found}
        return tuple(placed(row, by_loan.get(row.loan_id, {})) for row in rows)

    async def kept(self, currency: str) -> list[BookKept]:
        """Return which books were kept, oldest first."""
        async with self.records.work() as work:
            found = [one async for one in work.every(BookKept, state=currency)]
        return sorted(found, key=lambda one: one.as_of)

    async def dates(self, currency: str) -> list[date]:
        """Return the dates whose book was kept, oldest first."""
        return [one.as_of for one in await self.kept(currency)]

    async def book(self, on: date, currency: str) -> list[BookRow]:
        """Return the book kept of a date."""
        async with self.records.work() as work:
            return await _book(work, on, currency)

    async def figures(self, as_of: date, currency: str) -> Portfolio:
        """
        Return all figures of a date, from its book and all kept before it.

        Raises:
            BookNotKept: the book of this date was not kept.
        """
        dates, history = await self.history(as_of, currency)
        async with self.records.work() as work:
            watched = await _watched(work, as_of)
        found = await asyncio.to_thread(portfolio, history, dates, self.rules, watched)
        return msgspec.structs.replace(found, currency=currency)

    async def sharing(self, as_of: date, currency: str) -> LossSharing:
        """
        Return who bears the loss expected of a date's book, and its capital.

        Raises:
            BookNotKept: the book of this date was not kept.
        """
        dates, history = await self.history(as_of, currency)
        async with self.records.work() as work:
            watched = await _watched(work, as_of)
            secured = {one.loan_id: one async for one in work.every(Secured)}
        found = await asyncio.to_thread(valued, history, dates, self.rules, watched)
        rules = self.sharing_rules
        weighted = risk_weighted(found.rows, found.stages, found.hazards, self.rules, rules)
        return LossSharing(
            loans=len(found.rows),
            exposure_minor=sum(row.owed_minor for row in found.rows),
            loss_minor=sum(found.losses),
            bearers=loss_sharing(found.rows, found.losses, secured, rules),
            risk_weighted_minor=weighted,
            capital_minor=int((weighted * rules.capital_ratio).to_integral_value(ROUND_CEILING)),
        )

    async def by_state(self, as_of: date, currency: str) -> dict[date, dict[str, int]]:
        """Return what was on the books in each bucket, minor units, on each date kept."""
        dates, found = [on for on in await self.dates(currency) if on <= as_of], {}
        for on in dates:
            found[on] = balances(await self.book(on, currency))
        return found

    async def history(self, as_of: date, currency: str) -> tuple[list[date], list[list[BookRow]]]:
        """Return the dates and the books kept up to a date, oldest first, or raise BookNotKept."""
        dates = [on for on in await self.dates(currency) if on <= as_of]
        if as_of not in dates:
            expected = f"a date whose book was kept; `keep-book {as_of}` keeps it"
            raise BookNotKept(f"no book of {as_of}", field="as_of", expected=expected)
        # One at a time: decisions that wait are made in between.
        return dates, [await self.book(on, currency) for on in dates]


async def _book(work: Work, on: date, currency: str) -> list[BookRow]:
    kept = await work.get(BookKept, f"{currency}.{on}")
    assert kept is not None
    names = [f"{currency}.{on}.{number:06}" for number in range(kept.parts)]
    found = await work.get_all(BookPart, names)
    return [row for name in names for row in found[name].rows]


async def _watched(work: Work, as_of: date) -> frozenset[str]:
    """Return the borrowers whom an officer watched on a date, as was known on it."""
    return frozenset(
        {alert.borrower_ref async for alert in work.every(Alert) if watched_on(alert, as_of)}
    )
