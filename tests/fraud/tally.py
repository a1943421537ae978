"""How many frauds the entry tests find, and how often they point at the honest."""

from __future__ import annotations

from typing import NamedTuple

from services.ledger.application.entry_tests import flags
from tests.fraud.schemes import SCHEMES, Servicing


class Tally(NamedTuple):
    """One kind of fraud or, without a name, the honest: how many there were and were flagged."""

    scheme: str
    loans: int
    by_its_test: int
    by_any: int


def tally(book: dict[str, Servicing]) -> list[Tally]:
    """Run every test on the book; count by kind of fraud, the honest last."""
    found = flags({loan_id: loan.life for loan_id, loan in book.items()})
    rows = []
    for name in (*(scheme.__name__ for scheme in SCHEMES), "honest"):
        ids = {loan_id for loan_id in book if loan_id.rpartition("-")[0] == name}
        own = {flag.loan_id for flag in found if flag.test == name}
        anyone = {flag.loan_id for flag in found}
        rows.append(Tally(name, len(ids), len(ids & own), len(ids & anyone)))
    return rows
