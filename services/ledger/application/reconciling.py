"""Hold the ledger's cash against the bank's statement: every difference has a cause."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from services.ledger.application.inspecting import Written, pages
from services.ledger.application.ports import Log
from services.ledger.application.verifying import Verdict
from services.ledger.domain.chart import CASH
from services.ledger.domain.events import Financial, LoanOpened
from shared.kernel.dates import parse_date
from shared.kernel.errors import InvalidArgument
from shared.kernel.money import parse_amount

COLUMNS = ["on", "amount", "currency", "reference"]
COVERS = "covers"
CHECK = "cash as the bank states it"


class StatementInvalid(InvalidArgument):
    """The bank's statement cannot be read; the message names the line."""


class Move(NamedTuple):
    """Money in, above zero, or out; minor units. `reference` is the request's id."""

    on: date
    amount_minor: int
    currency: str
    reference: str


class Statement(NamedTuple):
    """
    What the bank says of a period, both days included.

    Where no period is stated it is all time: a line that was left out, be it the first or the
    last, is then a difference.
    """

    moves: Sequence[Move]
    since: date = date.min
    until: date = date.max

    def covers(self, on: date) -> bool:
        """Return whether a date lies within the period."""
        return self.since <= on <= self.until


class Difference(NamedTuple):
    """One cause of a difference: what the bank says less what the ledger says, minor units."""

    cause: str
    reference: str
    currency: str
    difference_minor: int


def read_statement(
    lines: Iterable[str], since: date | None = None, until: date | None = None
) -> Statement:
    """
    Read a statement: CSV with the header on,amount,currency,reference; amounts in major units.

    Before the header may stand what it covers: covers,2026-01-01,2026-03-31.

    Args:
        lines: The file.
        since: The first day to look at; as the statement says when not given.
        until: The last day to look at; as the statement says when not given.
    Raises:
        StatementInvalid: with the number of the line; or the statement is asked for days that it
            does not cover.
    """
    rows = enumerate(csv.reader(lines), start=1)
    number, row = next(rows, (1, []))
    stated = Statement([])
    if row[:1] == [COVERS]:
        stated = Statement([], *_period(row))
        number, row = next(rows, (2, []))
    if row != COLUMNS:
        raise StatementInvalid(f"line {number}: not the header", expected=",".join(COLUMNS))
    found = [_move(number, row, stated) for number, row in rows]
    period = Statement(found, since or stated.since, until or stated.until)
    if not stated.since <= period.since <= period.until <= stated.until:
        raise StatementInvalid(
            f"{period.since} to {period.until} is not what it covers",
            expected=f"{stated.since} to {stated.until}",
        )
    return period


def _period(row: list[str]) -> tuple[date, date]:
    try:
        _, since, until = row
        return parse_date(since, field="since"), parse_date(until, field="until")
    except (ValueError, InvalidArgument) as failure:
        raise StatementInvalid(f"line 1: {failure}", expected=f"{COVERS},SINCE,UNTIL") from None


def _move(number: int, row: list[str], stated: Statement) -> Move:
    try:
        on, amount, currency, reference = row
        said = parse_date(on, field="on")
        found = Move(said, parse_amount(amount, currency), currency, reference)
    except (ValueError, InvalidArgument) as failure:
        raise StatementInvalid(f"line {number}: {failure}") from None
    if not stated.covers(said):
        raise StatementInvalid(f"line {number}: {said} is outside of what the statement covers")
    return found


def cash_moves(
    log: Log, written: Written, progress: Callable[[int], None] = lambda position: None
) -> Iterator[Move]:
    """Yield every event that moves cash, in the order of the log; tell how far it has come."""
    currencies: dict[str, str] = {}
    for rows in pages(log):
        for row in rows:
            if not row.originator_id.startswith("loan/"):
                continue
            event = written.decode(row.topic, row.state)
            if isinstance(event, LoanOpened):
                currencies[event.loan_id] = event.terms.currency
            if isinstance(event, Financial):
                cash = sum(p.amount_minor for p in event.postings if p.account == CASH)
                if cash:
                    currency = currencies[event.loan_id]
                    yield Move(event.effective_on, cash, currency, event.request_id)
        progress(rows[-1].position)


def reconcile(bank: Statement, ledger: Iterable[Move]) -> list[Difference]:
    """
    Match by reference, and name the cause of each difference.

    Args:
        bank: The statement.
        ledger: All cash moves; those outside of the statement's days are left out.
    Returns:
        What differs; the amounts sum to the bank's total less the ledger's, per currency. A date
        that differs is a difference of 0.
    """
    stated: dict[tuple[str, str], list[Move]] = defaultdict(list)
    for move in bank.moves:
        stated[move.reference, move.currency].append(move)
    found: list[Difference] = []
    for move in ledger:
        there = stated.get((move.reference, move.currency), [])
        if there:
            found += _compared(there.pop(0), move)
        elif bank.covers(move.on):
            found.append(_only("only in the ledger", move, -move.amount_minor))
    times = Counter((move.reference, move.currency) for move in bank.moves)
    for key, moves in stated.items():
        cause = "only at the bank" if len(moves) == times[key] else "twice at the bank"
        found += [_only(cause, move, move.amount_minor) for move in moves]
    return found


def _compared(bank: Move, ledger: Move) -> list[Difference]:
    found = []
    if bank.amount_minor != ledger.amount_minor:
        difference = bank.amount_minor - ledger.amount_minor
        found.append(_only("another amount", bank, difference))
    if bank.on != ledger.on:
        found.append(_only(f"another date: {bank.on} at the bank, {ledger.on} here", bank, 0))
    return found


def _only(cause: str, move: Move, difference: int) -> Difference:
    return Difference(cause, move.reference, move.currency, difference)


def reconciled(bank: Statement, ledger: Sequence[Move]) -> Verdict:
    """Return the reconciliation as one named check."""
    different = [
        f"{d.cause}: {d.reference} {d.difference_minor} {d.currency} minor"
        for d in reconcile(bank, ledger)
    ]
    return Verdict(CHECK, len(bank.moves), different)
