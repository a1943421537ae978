"""Plain-text journals for hledger and beancount; each asserts the balances at its end itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

MINOR_DIGITS = {"CNY": 2, "EUR": 2, "USD": 2, "GBP": 2, "INR": 2, "DEM": 2, "JPY": 0, "BHD": 3}
"""How many decimals each currency that a ledger keeps has."""

ROOTS = {"ASSET": "Assets", "LIABILITY": "Liabilities", "INCOME": "Income", "EXPENSE": "Expenses"}
"""The first part of an account's name in a journal, by its kind."""


class JournalEntry(NamedTuple):
    """The postings of one event: account and amount, debit above zero, minor units."""

    position: int
    on: date
    event: str
    loan_id: str
    currency: str
    postings: Sequence[tuple[str, int]]


Balance = tuple[str, str, int]
"""Account, currency, and what the ledger says its balance is, minor units."""


def account_name(name: str, kind: str) -> str:
    """Return an account as both programs accept it: expense:charge_offs, Expenses:Charge-offs."""
    root, parts = ROOTS[kind], name.split(":")
    if root.lower().startswith(parts[0]):
        parts = parts[1:]
    return ":".join([root, *(part.replace("_", "-").capitalize() for part in parts)])


def plain(minor: int, currency: str) -> str:
    """Return an amount in major units: 12000.00."""
    digits = MINOR_DIGITS[currency]
    text = f"{abs(minor):0{digits + 1}}"
    whole = f"{text[:-digits]}.{text[-digits:]}" if digits else text
    return f"-{whole}" if minor < 0 else whole


def minor(text: str, currency: str) -> int:
    """
    Return an amount that is written as `plain` writes it, in minor units.

    Raises:
        ValueError: it is written otherwise: other decimals, other digits, a sign of its own.
    """
    if not re.fullmatch(r"-?[0-9]{1,30}(\.[0-9]+)?", text, re.ASCII):
        raise ValueError(f"{text[:40]!r} is no amount")
    found = int(text.replace(".", ""))
    if plain(found, currency) != text:
        raise ValueError(f"{text!r} is no amount of {currency}")
    return found


def hledger(
    book: Iterable[JournalEntry], balances: Sequence[Balance], names: Mapping[str, str]
) -> Iterator[str]:
    """
    Yield an hledger journal, part by part, that ends in an assertion of each balance.

    Args:
        book: The entries, in the order of the log.
        balances: What to assert.
        names: Each account of the chart, and what it is called here.
    """
    for currency in sorted({currency for _, currency, _ in balances}):
        yield f"commodity {plain(100_000, currency)} {currency}\n"
    for name in sorted(names.values()):
        yield f"account {name}\n"
    last = date.min
    for entry in book:
        last = max(last, entry.on)
        yield f"\n{entry.on} {entry.event} {entry.loan_id}  ; position:{entry.position}\n"
        for account, amount in entry.postings:
            yield f"    {_line(names[account], amount, entry.currency)}\n"
    if balances:
        yield f"\n{_day_after(last)} Balances as the ledger states them\n"
        for account, currency, amount in balances:
            stated = f"{plain(amount, currency)} {currency}"
            yield f"    {_line(names[account], 0, currency)} = {stated}\n"


def beancount(
    book: Iterable[JournalEntry], balances: Sequence[Balance], names: Mapping[str, str]
) -> Iterator[str]:
    """Yield a beancount ledger, part by part, that ends in an exact assertion of each balance."""
    # Beancount lets a cent pass unless it is told that nothing may.
    yield 'option "tolerance_multiplier" "0"\n'
    for currency in sorted({currency for _, currency, _ in balances}):
        yield f'option "operating_currency" "{currency}"\n'
    for name in sorted(names.values()):
        yield f"1970-01-01 open {name}\n"
    last = date.min
    for entry in book:
        last = max(last, entry.on)
        yield f'\n{entry.on} * "{entry.loan_id}" "{entry.event}"\n  position: {entry.position}\n'
        for account, amount in entry.postings:
            yield f"  {_line(names[account], amount, entry.currency)}\n"
    yield "\n"
    for account, currency, amount in balances:
        exact = f"{plain(amount, currency)} ~ 0 {currency}"
        yield f"{_day_after(last)} balance {names[account]}  {exact}\n"


def _line(name: str, amount: int, currency: str) -> str:
    return f"{name:40}  {plain(amount, currency)} {currency}"


def _day_after(on: date) -> date:
    return on + timedelta(days=1) if on != date.min else on
