"""The book for other people's programs: plain-text journals that assert our balances themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from services.ledger.application.following import Accrued, Follower
from services.ledger.application.verifying import PAGE
from services.ledger.domain.chart import CHART
from services.ledger.domain.events import Financial, Posting
from shared.audit import journals

Balance = journals.Balance


class Entry(NamedTuple):
    """One journal entry: the postings of one event; accruals belong to no loan."""

    position: int
    on: date
    event: str
    loan_id: str
    currency: str
    postings: tuple[Posting, ...]


def entries(follower: Follower) -> Iterator[Entry]:
    """Yield every entry of the log, in the order of the log."""
    position = 0
    while (page := follower.page(position, PAGE)).reached > position:
        found = [*page.followed, *page.accruals]
        for row in sorted(found, key=lambda r: r.position if isinstance(r, Accrued) else r[0][0]):
            if isinstance(row, Accrued):
                event = row.event
                name = type(event).__name__
                yield Entry(row.position, event.on, name, "", event.currency, event.postings)
            elif isinstance(row.event, Financial) and row.event.postings:
                currency, fact = row.account.terms.currency, row.event
                head = (row.logged.position, fact.effective_on, type(fact).__name__, fact.loan_id)
                yield Entry(*head, currency, fact.postings)
        position = page.reached


def account_name(name: str) -> str:
    """Return an account as both programs accept it: expense:charge_offs, Expenses:Charge-offs."""
    return journals.account_name(name, CHART[name].kind)


NAMES = {name: account_name(name) for name in CHART}
"""Every account of the chart, and what it is called in the journals."""


def amount(minor: int, currency: str) -> str:
    """Return an amount in major units: 12000.00."""
    return journals.plain(minor, currency)


def hledger(book: Iterable[Entry], balances: Sequence[Balance]) -> Iterator[str]:
    """Yield an hledger journal, part by part, that ends in an assertion of each balance."""
    return journals.hledger(map(_plain, book), balances, NAMES)


def beancount(book: Iterable[Entry], balances: Sequence[Balance]) -> Iterator[str]:
    """Yield a beancount ledger, part by part, that ends in an exact assertion of each balance."""
    return journals.beancount(map(_plain, book), balances, NAMES)


def _plain(entry: Entry) -> journals.JournalEntry:
    postings = [(posting.account, posting.amount_minor) for posting in entry.postings]
    return journals.JournalEntry(*entry[:5], postings)
