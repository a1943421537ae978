"""
A period's books as tables: the AICPA's general ledger standard, and our own.

Source: AICPA Audit Data Standards, General Ledger Standard, July 2015: GL_Detail, Trial_Balance and
Chart_Of_Accounts; amounts of GL_Detail are positive and say D or C, balances are signed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date
from typing import Any

from services.ledger.application import entry_tests
from services.ledger.application.exporting import Entry, account_name, amount
from services.ledger.application.period import Period
from services.ledger.application.tables_text import csv_text
from services.ledger.domain.book_events import AccrualPosted
from services.ledger.domain.books import sub_ledger
from services.ledger.domain.chart import CHART, PRINCIPAL, AccountKind
from services.ledger.domain.delinquency import standing_of
from services.ledger.domain.events import Fact, Posting, RepaymentReversed
from services.ledger.domain.explain import figures
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.status import status_on
from shared.audit.verify_books import GL_DETAIL, TRIAL_BALANCE, UNIT

CHART_OF_ACCOUNTS = (
    "GL_Account_Number,GL_Account_Name,Account_Type,Account_Subtype,FS_Caption,"
    "GL_Account_Description,Parent_GL_Account_Number"
)
TYPES = {
    AccountKind.ASSET: "Assets",
    AccountKind.LIABILITY: "Liabilities",
    AccountKind.INCOME: "Revenue",
    AccountKind.EXPENSE: "Expenses",
}


def named(what: str, since: date, until: date) -> str:
    """Return the name of a file as the standard has it."""
    return f"{what}_{since:%Y%m%d}_{until:%Y%m%d}.csv"


def standard(period: Period) -> dict[str, bytes]:
    """Return the three files of the general ledger standard."""
    since, until = period.bounds.since, period.bounds.until
    return {
        named("GL_Detail", since, until): csv_text(GL_DETAIL, _detail(period)),
        named("Trial_Balance", since, until): csv_text(TRIAL_BALANCE, _trial_balance(period)),
        named("Chart_Of_Accounts", since, until): csv_text(CHART_OF_ACCOUNTS, _chart()),
    }


def _detail(period: Period) -> Iterator[tuple[Any, ...]]:
    journals = {
        fact.repayment_id: entry.position
        for entry, fact in period.facts
        if hasattr(fact, "repayment_id") and not isinstance(fact, RepaymentReversed)
    }
    for entry, fact in period.facts:
        for number, posting in enumerate(entry.postings, start=1):
            yield _line(entry, fact, number, posting, journals)


def _line(
    entry: Entry,
    fact: Fact | AccrualPosted,
    number: int,
    posting: Posting,
    journals: Mapping[str, int],
) -> tuple[Any, ...]:
    reverses = isinstance(fact, RepaymentReversed)
    recorded = fact.recorded_at.astimezone(UTC)
    return (
        entry.position,
        number,
        " ".join((entry.event, getattr(fact, "reason", ""))).strip(),
        CHART[posting.account].english,
        "accrual" if isinstance(fact, AccrualPosted) else "loan",
        UNIT,
        entry.on,
        entry.on.year,
        f"{entry.on.month:02}",
        posting.account,
        amount(abs(posting.amount_minor), entry.currency),
        "D" if posting.amount_minor > 0 else "C",
        entry.currency,
        getattr(fact, "actor", "") or fact.request_id,
        recorded.date(),
        f"{recorded:%H:%M:%S}",
        getattr(fact, "approved_by", ""),
        "",
        "",
        "",
        1 if reverses else "",
        journals.get(fact.repayment_id, "") if isinstance(fact, RepaymentReversed) else "",
        entry.loan_id,
    )


def _trial_balance(period: Period) -> Iterator[tuple[Any, ...]]:
    until, ending = period.bounds.until, period.ending
    for currency, account in sorted({*ending, *period.beginning}):
        key = (currency, account)
        begun, ended = (amount(side[key], currency) for side in (period.beginning, ending))
        yield account, UNIT, until.year, f"{until.month:02}", until, begun, ended, currency


def _chart() -> Iterator[tuple[Any, ...]]:
    for account in CHART.values():
        group = account.name.partition(":")[0]
        yield (
            account.name,
            account.english,
            TYPES[account.kind],
            group,
            account.english,
            f"{account.chinese}; in the journals {account_name(account.name)}",
            "",
        )


def balance_rows(period: Period) -> list[tuple[Any, ...]]:
    """Return the trial balance at both ends, with what moved; minor units, debit above zero."""
    ending = period.ending
    return [
        (
            *key,
            period.beginning[key],
            period.debits[key],
            period.credits[key],
            ending[key],
        )
        for key in sorted({*ending, *period.beginning})
    ]


LOANS = (
    "loan_id,currency,status,days_past_due,buckets,principal_outstanding_minor,arrears_minor,"
    "payoff_minor,version,principal_on_books_minor"
)


def loan_rows(accounts: Mapping[str, LoanAccount], on: date) -> list[tuple[Any, ...]]:
    """Return each loan that is paid out by a date, as the accounts know it."""
    rows = []
    for loan_id in sorted(accounts):
        account = accounts[loan_id]
        if account.disbursed_on is None or account.disbursed_on > on:
            continue
        line = account.timeline(on)
        assert line is not None
        said, standing = figures(line), standing_of(line)
        rows.append(
            (
                loan_id,
                account.terms.currency,
                str(status_on(account, line, on)),
                said["days_past_due"],
                " ".join(f"{k}={v}" for k, v in sorted(standing.buckets.items())),
                said["principal_outstanding"],
                said["arrears"],
                said["payoff"],
                account.version,
                sub_ledger(line)[PRINCIPAL],
            )
        )
    return rows


def totals(rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """Sum loans by currency and status; the principal on the books is that of the trial balance."""
    by: Counter[str] = Counter(row[2] for row in rows)
    owed: Counter[str] = Counter()
    for row in rows:
        owed[f"{row[1]} {row[2]} principal_outstanding_minor"] += row[5]
        owed[f"{row[1]} {row[2]} arrears_minor"] += row[6]
        owed[f"{row[1]} principal_on_books_minor"] += row[9]
    return {"loans": len(rows), "by_status": dict(sorted(by.items())), **dict(sorted(owed.items()))}


def test_rows(period: Period) -> list[tuple[Any, ...]]:
    """Return every flag of an entry of the period."""
    return [tuple(flag) for flag in entry_tests.flags(period.lives, period.since_versions)]
