"""Figures over everything that is kept: gathered here, counted in the domain."""

from __future__ import annotations

from dataclasses import dataclass

from services.collections.application import trail
from services.collections.application.working import everything
from services.collections.domain.case import Case
from services.collections.domain.debtor import Attempt, Debtor
from services.collections.domain.figures import Book
from services.collections.domain.message import Message
from shared.runtime.records import Records


@dataclass(frozen=True, slots=True)
class Reporting:
    """Gathers the book."""

    records: Records

    async def book(self) -> Book:
        """Return every case, attempt, message and debtor, as one transaction sees them."""
        async with self.records.work() as work:
            return Book(
                await everything(work, Case, lambda one: one.loan_id),
                await everything(
                    work,
                    Attempt,
                    lambda one: trail.key_of(one.borrower_ref, one.at, one.attempt_id),
                ),
                await everything(work, Message, lambda one: one.name),
                await everything(work, Debtor, lambda one: one.borrower_ref),
            )
