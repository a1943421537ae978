"""Follow the log: each event with the account as it stood right after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from services.ledger.application.ports import Log, Logged
from services.ledger.domain.book_events import AccrualPosted, BusinessDateAdvanced
from services.ledger.domain.events import Fact, TransitionRecorded
from services.ledger.domain.loan_account import LoanAccount, evolve, fold, size_of
from shared.kernel.bounded import Bounded

ACCOUNTS_BYTES_MAX = 128 << 20
BUSINESS_DAY = "business-day"
"""The stream of closed days."""
LOOK_BACK = 5_000


class Accrued(NamedTuple):
    """An accrual journal of the book at its place in the log."""

    position: int
    event: AccrualPosted


class Closed(NamedTuple):
    """A day that was closed, at its place in the log."""

    position: int
    event: BusinessDateAdvanced


class Page(NamedTuple):
    """
    What a part of the log says, and the position that it reaches.

    `aged` are events of loans of which the page says how late they are and nothing else, where
    their accounts were not asked for; all others are in `followed`.
    """

    followed: list[Followed]
    reached: int
    accruals: list[Accrued]
    aged: list[Aged]
    closed: list[Closed]


class Followed(NamedTuple):
    """One fact of a loan at its place in the log, and the account after it."""

    logged: Logged
    event: Fact
    account: LoanAccount


class Aged(NamedTuple):
    """How late a loan is, at its place in the log; its account was not looked at."""

    logged: Logged
    event: TransitionRecorded


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

    def page(
        self, after: int, limit: int = 1000, until: int | None = None, *, aged_apart: bool = False
    ) -> Page:
        """
        Return facts of loans, accruals and closed days after a position, and the position reached.

        With `until` none beyond that position. With `aged_apart` accounts that are not in memory
        are not read for loans that have only aged. Other events are passed over; the position
        counts them.
        """
        rows = self.log.log(after, limit)
        if until is not None:
            rows = [row for row in rows if row.position <= until]
        ours = [
            (row, event)
            for row in rows
            if row.originator_id.startswith("loan/") and self.mine(row.originator_id)
            if isinstance(event := self.decode(row.topic, row.state), Fact)
        ]
        aged = self._cold_aged(ours) if aged_apart else []
        alone = {one.event.loan_id for one in aged}
        whole = [(row, event) for row, event in ours if event.loan_id not in alone]
        self._read_ahead([row for row, _ in whole])
        found = [self._follow(row, event) for row, event in whole]
        accruals = [
            Accrued(row.position, event)
            for row in rows
            if row.originator_id.startswith("accrual/")
            and isinstance(event := self.decode(row.topic, row.state), AccrualPosted)
        ]
        closed = [
            Closed(row.position, event)
            for row in rows
            if row.originator_id == BUSINESS_DAY
            and isinstance(event := self.decode(row.topic, row.state), BusinessDateAdvanced)
        ]
        return Page(found, rows[-1].position if rows else after, accruals, aged, closed)

    def last_closed(self, position: int) -> Closed | None:
        """Return the day that was closed last up to a position; looked for backwards."""
        while position > 0:
            first = max(0, position - LOOK_BACK)
            for row in reversed(self.log.log(first, position - first)):
                event = (
                    self.decode(row.topic, row.state) if row.originator_id == BUSINESS_DAY else 0
                )
                if row.position <= position and isinstance(event, BusinessDateAdvanced):
                    return Closed(row.position, event)
            position = first
        return None

    def _cold_aged(self, ours: Sequence[tuple[Logged, Fact]]) -> list[Aged]:
        """Return what is said of loans that only aged and whose accounts are not in memory."""
        more = {e.loan_id for _, e in ours if not isinstance(e, TransitionRecorded)}
        return [
            Aged(row, event)
            for row, event in ours
            if isinstance(event, TransitionRecorded)
            and event.loan_id not in more
            and event.loan_id not in self.accounts
        ]

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

    def _follow(self, row: Logged, event: Fact) -> Followed:
        before = self._standing_at(event.loan_id, row.version - 1)
        if before is None and row.version > 1:
            before = fold(self.log.stream(row.originator_id, row.version - 1))
        account = evolve(before, event)
        self.accounts.put(event.loan_id, account)
        return Followed(row, event, account)
