"""The book for other people's programs: plain-text journals that assert our balances themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from services.ledger.application.following import Accrued, Follower
from services.ledger.application.verifying import PAGE
from services.ledger.domain.chart import CHART, AccountKind
from services.ledger.domain.events import Financial, Posting
from shared.kernel.money import minor_digits

ROOTS = {
    AccountKind.ASSET: "Assets",
    AccountKind.LIABILITY: "Liabilities",
    AccountKind.INCOME: "Income",
    AccountKind.EXPENSE: "Expenses",
}


class Entry(NamedTuple):
    """One journal entry: the postings of one event; accruals belong to no loan."""

    position: int
    on: date
    event: str
    loan_id: str
    currency: str
    postings: tuple[Posting, ...]


Balance = tuple[str, str, int]
"""Account, currency, and what the ledger says its balance is, minor units."""


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
    root, parts = ROOTS[CHART[name].kind], name.split(":")
    if root.lower().startswith(parts[0]):
        parts = parts[1:]
    return ":".join([root, *(part.replace("_", "-").capitalize() for part in parts)])


def amount(minor: int, currency: str) -> str:
    """Return an amount in major units with its currency: 12000.00 CNY."""
    digits = minor_digits(currency)
    return f"{Decimal(minor).scaleb(-digits):.{digits}f} {currency}"


def hledger(book: Iterable[Entry], balances: Sequence[Balance]) -> Iterator[str]:
    """Yield an hledger journal, part by part, that ends in an assertion of each balance."""
    for currency in sorted({currency for _, currency, _ in balances}):
        yield f"commodity {amount(100_000, currency)}\n"
    for name in sorted(account_name(account) for account in CHART):
        yield f"account {name}\n"
    last = date.min
    for entry in book:
        last = max(last, entry.on)
        yield f"\n{entry.on} {entry.event} {entry.loan_id}  ; position:{entry.position}\n"
        for posting in entry.postings:
            yield f"    {_line(posting.account, posting.amount_minor, entry.currency)}\n"
    if balances:
        yield f"\n{_day_after(last)} Balances as the ledger states them\n"
        for name, currency, minor in balances:
            yield f"    {_line(name, 0, currency)} = {amount(minor, currency)}\n"


def beancount(book: Iterable[Entry], balances: Sequence[Balance]) -> Iterator[str]:
    """Yield a beancount ledger, part by part, that ends in an exact assertion of each balance."""
    # Beancount lets a cent pass unless it is told that nothing may.
    yield 'option "tolerance_multiplier" "0"\n'
    for currency in sorted({currency for _, currency, _ in balances}):
        yield f'option "operating_currency" "{currency}"\n'
    for name in sorted(account_name(account) for account in CHART):
        yield f"1970-01-01 open {name}\n"
    last = date.min
    for entry in book:
        last = max(last, entry.on)
        yield f'\n{entry.on} * "{entry.loan_id}" "{entry.event}"\n  position: {entry.position}\n'
        for posting in entry.postings:
            yield f"  {_line(posting.account, posting.amount_minor, entry.currency)}\n"
    yield "\n"
    for name, currency, minor in balances:
        exact = amount(minor, currency).replace(" ", " ~ 0 ")
        yield f"{_day_after(last)} balance {account_name(name)}  {exact}\n"


def _line(name: str, minor: int, currency: str) -> str:
    return f"{account_name(name):40}  {amount(minor, currency)}"


def _day_after(on: date) -> date:
    return on + timedelta(days=1) if on != date.min else on
