"""Follow the log: each event with the account as it stood right after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from services.ledger.application.ports import Log, Logged
from services.ledger.domain.book_events import AccrualPosted
from services.ledger.domain.events import Fact
from services.ledger.domain.loan_account import LoanAccount, evolve, fold, size_of
from shared.kernel.bounded import Bounded

ACCOUNTS_BYTES_MAX = 128 << 20


class Accrued(NamedTuple):
    """An accrual journal of the book at its place in the log."""

    position: int
    event: AccrualPosted


class Page(NamedTuple):
    """What a part of the log says, and the position that it reaches."""

    followed: list[Followed]
    reached: int
    accruals: list[Accrued]


class Followed(NamedTuple):
    """One fact of a loan at its place in the log, and the account after it."""

    logged: Logged
    event: Fact
    account: LoanAccount


@dataclass(slots=True)
class Follower:
    """
    Reads the log from a position on; keeps the accounts that it has seen.

    With `mine` it follows only the loans of which it says so, by the name of their stream.
    """

    log: Log
    decode: Callable[[str, bytes], msgspec.Struct]
    mine: Callable[[str], bool] = lambda originator_id: True
    accounts: Bounded[LoanAccount] = field(
        default_factory=lambda: Bounded(ACCOUNTS_BYTES_MAX, size_of)
    )

    def page(self, after: int, limit: int = 1000, until: int | None = None) -> Page:
        """
        Return the facts of loans and the accruals after a position, and the position reached.

        With `until` none beyond that position.
        Other events are passed over; the position counts them.
        """
        rows = self.log.log(after, limit)
        if until is not None:
            rows = [row for row in rows if row.position <= until]
        ours = [
            row
            for row in rows
            if row.originator_id.startswith("loan/") and self.mine(row.originator_id)
        ]
        self._read_ahead(ours)
        found = [self._follow(row) for row in ours]
        accruals = [
            Accrued(row.position, event)
            for row in rows
            if row.originator_id.startswith("accrual/")
            and isinstance(event := self.decode(row.topic, row.state), AccrualPosted)
        ]
        return Page(found, rows[-1].position if rows else after, accruals)

    def _read_ahead(self, rows: Sequence[Logged]) -> None:
        """Read the loans of a page that are not in memory as they stood before it, together."""
        before: dict[str, int] = {}
        for row in rows:
            before.setdefault(row.originator_id, row.version - 1)
        cold = [
            name
            for name, version in before.items()
            if version and self._standing_at(name.removeprefix("loan/"), version) is None
        ]
        for name, events in self.log.streams(cold) if len(cold) > 1 else ():
            account = fold(events[: before[name]])
            if account is not None:
                self.accounts.put(account.loan_id, account)

    def _standing_at(self, loan_id: str, version: int) -> LoanAccount | None:
        """Return a loan from memory if it stands at a version."""
        account = self.accounts.get(loan_id)
        return account if account is not None and account.version == version else None

    def _follow(self, row: Logged) -> Followed:
        event = self.decode(row.topic, row.state)
        assert isinstance(event, Fact)
        before = self._standing_at(event.loan_id, row.version - 1)
        if before is None and row.version > 1:
            before = fold(self.log.stream(row.originator_id, row.version - 1))
        account = evolve(before, event)
        self.accounts.put(event.loan_id, account)
        return Followed(row, event, account)
