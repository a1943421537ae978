"""Tests of entries that auditors run against override of controls (ISA 240, 32-33): red flags."""

from __future__ import annotations

import hashlib
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import NamedTuple, TypeVar

import msgspec

from services.ledger.application.inspecting import pages
from services.ledger.application.ports import Log
from services.ledger.domain import events as ev
from services.ledger.domain.book_events import BusinessDateAdvanced
from services.ledger.domain.loan_account import LoanAccount, evolve
from services.ledger.domain.waterfall import PaymentSource

BANK_DAYS = 5
"""Money may reach the ledger so many days after it reached the bank."""


class Entry(NamedTuple):
    """One fact, the business date on which it was recorded, and the loan after it."""

    on: date
    event: ev.Fact
    account: LoanAccount

    @property
    def days_past_due(self) -> int:
        """How late the loan was known to be after it."""
        return self.account.standing.days_past_due


Kind = TypeVar("Kind", bound=ev.Fact)
Life = Sequence[Entry]
"""All entries of one loan, in recorded order."""


Flagged = Iterator[tuple[Entry, str]]
"""Entries that a test points at, and why."""


class Flag(NamedTuple):
    """An entry that somebody should ask about."""

    test: str
    loan_id: str
    version: int
    why: str


def lives(log: Log, decode: Callable[[str, bytes], msgspec.Struct]) -> dict[str, list[Entry]]:
    """Return the entries of every loan, with the business date of each."""
    found: dict[str, list[Entry]] = {}
    on = date.min
    for rows in pages(log):
        for row in rows:
            event = decode(row.topic, row.state)
            if isinstance(event, BusinessDateAdvanced):
                on = event.on
            if isinstance(event, ev.Fact):
                add(found.setdefault(event.loan_id, []), event, on)
    return found


def add(life: list[Entry], event: ev.Fact, on: date) -> None:
    """Add an entry to a loan's."""
    before = life[-1].account if life else None
    life.append(Entry(on, event, evolve(before, event)))


def _of(life: Life, kind: type[Kind]) -> list[tuple[Entry, Kind]]:
    return [(entry, entry.event) for entry in life if isinstance(entry.event, kind)]


def _late_before(life: Life, entry: Entry) -> int:
    """Return how late the loan was known to be before an entry."""
    k = entry.account.version - 2
    return life[k].days_past_due if k >= 0 else 0


def _late_after(life: Life, entry: Entry) -> int:
    """Return how late the loan was known to be once an entry and what followed were recorded."""
    same = [e for e in life if e.event.request_id == entry.event.request_id]
    return same[-1].days_past_due


def _to_month_end(on: date) -> int:
    return monthrange(on.year, on.month)[1] - on.day


def backdated_cure(life: Life) -> Flagged:
    """Money that counts from long ago, and with which lateness is gone or less."""
    for entry, event in _of(life, ev.RepaymentPosted):
        back, late = (entry.on - event.effective_on).days, _late_before(life, entry)
        if back > BANK_DAYS and late > 0 and _late_after(life, entry) < late:
            yield entry, f"counts {back} days back; was {late} days past due"


def reversed_after_month_end(life: Life) -> Flagged:
    """Money on the last days of a month, for a late loan, taken back in the next."""
    posted = {event.repayment_id: entry for entry, event in _of(life, ev.RepaymentPosted)}
    for entry, event in _of(life, ev.RepaymentReversed):
        first = posted.get(event.repayment_id)
        if first is None or first.on.month == entry.on.month:
            continue
        if _to_month_end(first.on) <= 2 and _late_before(life, first) > 0:
            yield entry, f"posted on {first.on}, taken back on {entry.on}"


def same_money_twice(life: Life) -> Flagged:
    """The same amount of the same date, posted twice and not taken back."""
    seen: set[tuple[date, int]] = set()
    for entry, event in _of(life, ev.RepaymentPosted):
        if event.repayment_id in life[-1].account.reversed_ids:
            continue
        if (event.effective_on, event.amount_minor) in seen:
            yield entry, f"{event.amount_minor} of {event.effective_on} a second time"
        seen.add((event.effective_on, event.amount_minor))


def debits_that_bounce(life: Life) -> Flagged:
    """Three payments taken back within ninety days: lateness is kept away by no money."""
    taken = [entry for entry, _ in _of(life, ev.RepaymentReversed)]
    for first, third in zip(taken, taken[2:], strict=False):
        if (third.on - first.on).days <= 90:
            yield third, "three taken back within 90 days"


def evergreened(life: Life) -> Flagged:
    """A new plan for a late loan that had one within a year."""
    planned = [entry for entry, _ in _of(life, ev.TermsRestructured)]
    for first, again in pairwise(planned):
        if (again.on - first.on).days <= 365 and _late_before(life, again) >= 30:
            yield again, f"planned again after {(again.on - first.on).days} days"


def paused_after_the_fact(life: Life) -> Flagged:
    """A pause that begins long before it was granted, for a loan that is late."""
    for entry, event in _of(life, ev.DelinquencyPaused):
        back = (entry.on - event.from_on).days
        if back > 14 and _late_before(life, entry) > 0:
            yield entry, f"begins {back} days before it was granted"


def waived_in_a_row(life: Life) -> Flagged:
    """Three waivers by one approver within ninety days."""
    waived = _of(life, ev.ChargeWaived)
    for entry, event in waived:
        near = [
            one
            for one, other in waived
            if other.approved_by == event.approved_by and 0 <= (entry.on - one.on).days <= 90
        ]
        if len(near) >= 3:
            yield entry, f"{len(near)} within 90 days by {event.approved_by}"


def goodwill_cure(life: Life) -> Flagged:
    """The lender's own money makes a loan current that was long late."""
    for entry, event in _of(life, ev.RepaymentPosted):
        late = _late_before(life, entry)
        if event.source is PaymentSource.GOODWILL and late >= 25 > _late_after(life, entry):
            yield entry, f"was {late} days past due"


def never_paid(life: Life) -> Flagged:
    """Three due dates, and no money ever: a borrower who may not exist."""
    overdue = life[-1].account.standing.instalments_overdue
    if not _of(life, ev.RepaymentPosted) and overdue >= 3:
        yield life[-1], f"{overdue} instalments overdue, nothing ever paid"


def undone_before_month_end(life: Life) -> Flagged:
    """A charge-off that is taken back in the last days of a month."""
    for entry, _ in _of(life, ev.ChargeOffUndone):
        if _to_month_end(entry.on) <= 4:
            yield entry, f"{_to_month_end(entry.on)} days before the month's end"


def refunded_soon(life: Life) -> Flagged:
    """Money above what is owed, half an instalment of principal or more, soon paid back."""
    paid = _of(life, ev.RepaymentPosted)
    for entry, event in _of(life, ev.CreditRefunded):
        terms = entry.account.terms
        large = 2 * event.amount_minor >= terms.principal_minor // terms.instalments
        days = [
            (entry.on - one.on).days
            for one, came in paid
            if came.amount_minor >= event.amount_minor and 0 <= (entry.on - one.on).days <= 14
        ]
        if large and days:
            yield entry, f"{event.amount_minor} paid back {min(days)} days after money came"


def settled_while_current(life: Life) -> Flagged:
    """Debt that is let go although nothing was overdue."""
    for entry, event in _of(life, ev.SettlementPosted):
        if event.forgiven_minor > 0 and _late_before(life, entry) == 0:
            yield entry, f"{event.forgiven_minor} let go; nothing was overdue"


TESTS = (
    backdated_cure,
    reversed_after_month_end,
    same_money_twice,
    debits_that_bounce,
    evergreened,
    paused_after_the_fact,
    waived_in_a_row,
    goodwill_cure,
    never_paid,
    undone_before_month_end,
    refunded_soon,
    settled_while_current,
)


def flags(book: Mapping[str, Life], since: Mapping[str, int] | None = None) -> list[Flag]:
    """
    Run every test on every loan; at most one flag of a test and loan, the first.

    Args:
        book: The entries, each loan's from its first.
        since: The version of each loan up to which entries are context and not tested; none of
            those that are not in it.
    """
    found = []
    for loan_id, life in book.items():
        before = (since or {}).get(loan_id, 0)
        for test in TESTS:
            for entry, why in test(life):
                if entry.account.version > before:
                    found.append(Flag(test.__name__, loan_id, entry.account.version, why))
                    break
    return found


def later(book: Mapping[str, Life], since: Mapping[str, int]) -> dict[str, Life]:
    """Return the entries after a version of each loan; loans without any are left out."""
    parts = ((loan_id, life[since.get(loan_id, 0) :]) for loan_id, life in book.items())
    return {loan_id: part for loan_id, part in parts if part}


class Population(NamedTuple):
    """What was tested: all of it, so that nobody need trust a selection."""

    loans: int
    entries: int
    first_on: date
    last_on: date
    debits_minor: int


def population(book: Mapping[str, Life]) -> Population:
    """Say what was tested; amounts in minor units over all currencies."""
    entries = [entry for life in book.values() for entry in life]
    days = [entry.on for entry in entries] or [date.min]
    debits = sum(
        posting.amount_minor
        for entry in entries
        if isinstance(entry.event, ev.Financial)
        for posting in entry.event.postings
        if posting.amount_minor > 0
    )
    return Population(len(book), len(entries), min(days), max(days), debits)


def sample(book: Mapping[str, Life], count: int, seed: str) -> list[tuple[str, int]]:
    """
    Draw entries that move money, by loan id and version, to be held against vouchers.

    Args:
        book: The entries.
        count: How many.
        seed: Not of the ledger's choosing: a checkpoint's root, and a word that an auditor adds.
    Returns:
        Those whose hash with the seed is least: anybody draws the same.
    """
    places: Iterable[tuple[str, int]] = (
        (loan_id, entry.account.version)
        for loan_id, life in book.items()
        for entry in life
        if isinstance(entry.event, ev.Financial) and entry.event.postings
    )
    drawn = lambda place: hashlib.sha256(f"{seed}\n{place[0]}\n{place[1]}".encode()).digest()  # noqa: E731
    return sorted(places, key=drawn)[:count]
