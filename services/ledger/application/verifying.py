"""Replay the log from its first event, and compare every figure with what is stored and shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from services.ledger.application.following import Accrued, Followed, Follower
from services.ledger.application.rows import (
    accrual_rows,
    instalment_rows,
    journal_rows,
    line_of,
    summary_row,
)
from services.ledger.domain.books import sub_ledger
from services.ledger.domain.chart import INTEREST_RECEIVABLE, PENALTY_RECEIVABLE
from services.ledger.domain.delinquency import standing_of
from services.ledger.domain.events import (
    Financial,
    LoanAccelerated,
    RecoveryPosted,
    RepaymentPosted,
    TransitionRecorded,
)
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.reasons import instalments_owed

PAGE = 2000
FLAWS = ("unbalanced", "misallocated", "misposted", "misjudged", "untied")
ACCRUED = (INTEREST_RECEIVABLE, PENALTY_RECEIVABLE)


@dataclass(slots=True)
class Verdict:
    """How many rows of one kind were compared, what differed, and what a person has explained."""

    name: str
    rows: int
    different: list[str] = field(default_factory=list)
    explained: list[str] = field(default_factory=list)


class MonthEnd(NamedTuple):
    """The receivables at a month end: in the general ledger, and by what the loans say."""

    position: int
    name: str
    general: dict[str, int]
    totals: dict[str, int]


@dataclass(slots=True)
class Replayed:
    """
    The book, or a share of its loans, as the log alone says it is.

    `rows` are those that the read models should hold, by table, once all is replayed.
    """

    events: int = 0
    accounts: dict[str, LoanAccount] = field(default_factory=dict)
    journal: list[dict[str, Any]] = field(default_factory=list)
    accrual_lines: list[dict[str, Any]] = field(default_factory=list)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    unbalanced: list[str] = field(default_factory=list)
    misallocated: list[str] = field(default_factory=list)
    misposted: list[str] = field(default_factory=list)
    misjudged: list[str] = field(default_factory=list)
    posted: dict[str, dict[str, int]] = field(default_factory=dict)
    accrued: dict[tuple[str, str], int] = field(default_factory=dict)
    untied: list[str] = field(default_factory=list)
    months: list[MonthEnd] = field(default_factory=list)

    def take(self, followed: Followed) -> None:
        """Count one fact: its rows, its zero-sum, and its outcome recomputed."""
        event, account = followed.event, followed.account
        self.events += 1
        self.accounts[event.loan_id] = account
        self.journal += [row._asdict() for row in journal_rows(followed)]
        place = f"{event.loan_id}@{account.version}"
        if isinstance(event, Financial) and sum(p.amount_minor for p in event.postings):
            self.unbalanced.append(place)
        if isinstance(event, Financial):
            self._tie(event, account, place)
        if isinstance(event, RepaymentPosted | RecoveryPosted):
            line = account.timeline(event.effective_on)
            if line is None or line.allocated(event.repayment_id) != event.allocations:
                self.misallocated.append(place)
        if isinstance(event, LoanAccelerated) and not _as_derived(event, account):
            self.misjudged.append(f"{place}: what fell due early")
        if isinstance(event, TransitionRecorded):
            line = account.timeline(event.effective_on)
            if line is None or standing_of(line) != event.standing:
                self.misjudged.append(place)
            elif event.owed not in (UNSET, instalments_owed(line, event.standing.oldest_due_on)):
                self.misjudged.append(f"{place}: its reasons")

    def _tie(self, event: Financial, account: LoanAccount, place: str) -> None:
        """Hold the postings of a loan so far against its books, and against what its rows say."""
        posted = self.posted.setdefault(event.loan_id, {})
        for posting in event.postings:
            posted[posting.account] = posted.get(posting.account, 0) + posting.amount_minor
        line = line_of(account)
        books = line.books if line else {}
        if any(posted.get(name, 0) != books.get(name, 0) for name in {*posted, *books}):
            self.misposted.append(place)
        held = sub_ledger(line) if line else {}
        if any(posted.get(name, 0) != held[name] for name in held if name not in ACCRUED):
            self.untied.append(place)

    def close_month(self, accrued: Accrued) -> None:
        """Hold the receivables of the general ledger against the loans, at a month end."""
        event, totals = accrued.event, dict.fromkeys(ACCRUED, 0)
        self.accrual_lines += [row._asdict() for row in accrual_rows(accrued)]
        for posting in event.postings:
            key = (event.currency, posting.account)
            self.accrued[key] = self.accrued.get(key, 0) + posting.amount_minor
        for loan_id, account in self.accounts.items():
            line = account.timeline(event.on)
            if line is None or line.terms.currency != event.currency:
                continue
            for name in ACCRUED:
                posted = self.posted.get(loan_id, {}).get(name, 0)
                totals[name] += sub_ledger(line).get(name, 0) - posted
        general = {name: self.accrued.get((event.currency, name), 0) for name in ACCRUED}
        self.months.append(
            MonthEnd(accrued.position, f"{event.on} {event.currency}", general, totals)
        )

    def finish(self) -> None:
        """Derive the rows of the read models."""
        accounts = self.accounts.values()
        self.rows = {
            "loan_summary": [summary_row(one, line_of(one))._asdict() for one in accounts],
            "instalments": [row._asdict() for one in accounts for row in instalment_rows(one)],
        }

    def join(self, other: Replayed) -> None:
        """Take in another share of the loans of the same log."""
        self.events += other.events
        self.accounts.update(other.accounts)
        self.journal += other.journal
        for name in FLAWS:
            getattr(self, name).extend(getattr(other, name))
        for table, rows in other.rows.items():
            self.rows.setdefault(table, []).extend(rows)
        self.months = [
            mine._replace(totals={k: mine.totals[k] + theirs.totals[k] for k in ACCRUED})
            for mine, theirs in zip(self.months, other.months, strict=True)
        ]

    def verdicts(self) -> list[Verdict]:
        """Return what the log says about itself."""
        untied_months = [
            f"{month.name}: {month.general} is not {month.totals}"
            for month in self.months
            if month.general != month.totals
        ]
        return [
            Verdict("events: postings sum to zero", self.events, self.unbalanced),
            Verdict("events: allocations recomputed", self.events, self.misallocated),
            Verdict("events: postings recomputed", self.events, self.misposted),
            Verdict("events: lateness recomputed", self.events, self.misjudged),
            Verdict("control accounts tie out, after each event", self.events, self.untied),
            Verdict("receivables tie out, at each month end", len(self.months), untied_months),
        ]


def _as_derived(event: LoanAccelerated, account: LoanAccount) -> bool:
    """Say whether an acceleration states what follows from the loan."""
    line = account.timeline(event.effective_on)
    if line is None or line.accelerated_on != event.effective_on:
        return False
    due = next((row for row in line.rows if row.number == event.instalment), None)
    stated = (event.principal_minor, event.interest_minor)
    same = due is not None and (due.principal_due, due.interest_due) == stated
    return same and instalments_owed(line, standing_of(line).oldest_due_on) == event.owed


def replay_log(follower: Follower, say: Callable[[int], None] = lambda _: None) -> Replayed:
    """Read the whole log; `say` hears each position that was reached."""
    replayed, position = Replayed(), 0
    while True:
        page = follower.page(position, PAGE)
        if page.reached == position:
            replayed.finish()
            return replayed
        for item in sorted([*page.followed, *page.accruals], key=_position):
            if isinstance(item, Followed):
                replayed.take(item)
            else:
                replayed.close_month(item)
        position = page.reached
        say(position)


def _position(item: Followed | Accrued) -> int:
    return item.logged.position if isinstance(item, Followed) else item.position


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
    return {**replayed.rows, "journal_lines": [*replayed.journal, *replayed.accrual_lines]}


def digest_of(tables: dict[str, list[dict[str, Any]]]) -> str:
    """Return a hash of all rows of all tables, in whatever order they come."""
    total = sha256()
    for name in sorted(tables):
        total.update(name.encode())
        for row in sorted(msgspec.json.encode(list(row.values())) for row in tables[name]):
            total.update(row + b"\n")
    return total.hexdigest()
