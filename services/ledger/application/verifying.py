"""Replay the log from its first event, and compare every figure with what is stored and shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from services.ledger.application.following import Followed, Follower
from services.ledger.application.rows import instalment_rows, journal_rows, summary_row
from services.ledger.domain.events import Financial, RecoveryPosted, RepaymentPosted
from services.ledger.domain.loan_account import LoanAccount

PAGE = 2000


@dataclass(slots=True)
class Verdict:
    """How many rows of one kind were compared, and what differed."""

    name: str
    rows: int
    different: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Replayed:
    """The book as the log alone says it is."""

    events: int = 0
    accounts: dict[str, LoanAccount] = field(default_factory=dict)
    journal: list[dict[str, Any]] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)
    misallocated: list[str] = field(default_factory=list)

    def take(self, followed: Followed) -> None:
        """Count one fact: its rows, its zero-sum, and its outcome recomputed."""
        event, account = followed.event, followed.account
        self.events += 1
        self.accounts[event.loan_id] = account
        self.journal += journal_rows(followed)
        place = f"{event.loan_id}@{account.version}"
        if isinstance(event, Financial) and sum(p.amount_minor for p in event.postings):
            self.unbalanced.append(place)
        if isinstance(event, RepaymentPosted | RecoveryPosted):
            line = account.timeline(event.effective_on)
            if line is None or line.allocations.get(event.repayment_id) != event.allocations:
                self.misallocated.append(place)

    def verdicts(self) -> list[Verdict]:
        """Return what the log says about itself."""
        return [
            Verdict("events: postings sum to zero", self.events, self.unbalanced),
            Verdict("events: allocations recomputed", self.events, self.misallocated),
        ]


def replay_log(follower: Follower) -> Replayed:
    """Read the whole log."""
    replayed, position = Replayed(), 0
    while True:
        page, reached = follower.page(position, PAGE)
        if reached == position:
            return replayed
        for followed in page:
            replayed.take(followed)
        position = reached


def compare(
    name: str, key: tuple[str, ...], expected: list[dict[str, Any]], shown: list[dict[str, Any]]
) -> Verdict:
    """Compare rows by key; name every row that is missing, extra or different."""
    wanted = {tuple(row[k] for k in key): row for row in expected}
    found = {tuple(row[k] for k in key): row for row in shown}
    different = [
        f"{place}: log {wanted.get(place)} table {found.get(place)}"
        for place in sorted({*wanted, *found})
        if wanted.get(place) != found.get(place)
    ]
    return Verdict(name, len(wanted), different)


def expected_rows(replayed: Replayed) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that the read models should hold, by table."""
    accounts = replayed.accounts.values()
    return {
        "loan_summary": [summary_row(account) for account in accounts],
        "instalments": [row for account in accounts for row in instalment_rows(account)],
        "journal_lines": replayed.journal,
    }
