"""The book as flat tables for other people's queries: events, loans, instalments, balances."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Any

from services.ledger.application.exporting import Balance
from services.ledger.application.inspecting import pages
from services.ledger.application.ports import Log
from services.ledger.domain.explain import figures
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.status import status_on
from services.ledger.domain.timeline import Timeline

EVENTS = ("position", "stream", "version", "topic", "state")
BALANCES = ("account", "currency", "balance_minor")
LOANS = (
    "loan_id",
    "currency",
    "status",
    "on_date",
    "off_books",
    "charges_due_alone_minor",
    "principal_outstanding_minor",
    "arrears_minor",
    "days_past_due",
    "payoff_minor",
)
INSTALMENTS = (
    "loan_id",
    "number",
    "due_on",
    "principal_due_minor",
    "interest_due_minor",
    "charges_due_minor",
    "principal_paid_minor",
    "interest_paid_minor",
    "charges_paid_minor",
)

Row = tuple[Any, ...]


def event_rows(log: Log) -> Iterator[Row]:
    """Yield every event as it is stored, in the order of the log."""
    for rows in pages(log):
        for row in rows:
            yield (*row[:4], row.state.decode())


def loan_rows(accounts: Iterable[LoanAccount], on: date) -> Iterator[tuple[Row, list[Row]]]:
    """Yield each loan that is paid out by a date, with its instalments."""
    for account in accounts:
        line = account.timeline(on)
        if line is not None:
            yield _loan(account, line), [_instalment(account, row) for row in line.rows]


def _loan(account: LoanAccount, line: Timeline) -> Row:
    said = figures(line)
    return (
        account.loan_id,
        account.terms.currency,
        str(status_on(account, line, line.on)),
        line.on,
        bool(line.creditor_ref) or line.charged_off_on is not None,
        sum(charge.due - charge.paid for charge in line.loan_charges),
        said["principal_outstanding"],
        said["arrears"],
        said["days_past_due"],
        said["payoff"],
    )


def _instalment(account: LoanAccount, row: Any) -> Row:
    return (
        account.loan_id,
        row.number,
        row.due_on,
        row.principal_due,
        row.interest_due,
        sum(charge.due for charge in row.charges),
        row.principal_paid,
        row.interest_paid,
        sum(charge.paid for charge in row.charges),
    )


def tables(
    log: Log, accounts: Iterable[LoanAccount], balances: Sequence[Balance], on: date
) -> dict[str, tuple[tuple[str, ...], Iterable[Row]]]:
    """Return every table by name: its columns and its rows."""
    loans = list(loan_rows(accounts, on))
    return {
        "events": (EVENTS, event_rows(log)),
        "balances": (BALANCES, balances),
        "loans": (LOANS, [loan for loan, _ in loans]),
        "instalments": (INSTALMENTS, [row for _, rows in loans for row in rows]),
    }
