"""The rows that people look up, each a pure function of an account; replay compares with these."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import NamedTuple

from services.ledger.application.following import Accrued, Aged, Followed
from services.ledger.domain.delinquency import Standing
from services.ledger.domain.events import Financial
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.timeline import Timeline

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SummaryRow(NamedTuple):
    """One row of `loan_summary`; amounts in minor units."""

    loan_id: str
    borrower_ref: str
    product: str
    currency: str
    status: str
    principal_outstanding_minor: int
    oldest_due_on: date | None
    arrears_minor: int
    bucket: str
    next_transition_on: date | None
    version: int
    changed_at_us: int
    posting_policy: str


class StandingRow(NamedTuple):
    """What ageing changes of a row of `loan_summary`; nothing else of it depends on lateness."""

    loan_id: str
    oldest_due_on: date | None
    arrears_minor: int
    bucket: str
    next_transition_on: date | None
    version: int
    changed_at_us: int


class InstalmentRow(NamedTuple):
    """One row of `instalments`; amounts in minor units."""

    loan_id: str
    number: int
    due_on: date
    principal_due_minor: int
    interest_due_minor: int
    principal_paid_minor: int
    interest_paid_minor: int
    paid_on: date | None


class JournalRow(NamedTuple):
    """One row of `journal_lines`; debit above zero, in minor units."""

    position: int
    line: int
    loan_id: str
    effective_on: date
    account: str
    amount_minor: int
    currency: str


Shown = tuple[int, date, int, int, int, int, date | None]
"""What is shown of an instalment: an InstalmentRow from its number on."""

_shown = attrgetter(
    *("number", "due_on", "principal_due", "interest_due"),
    *("principal_paid", "interest_paid", "paid_on"),
)


def line_of(account: LoanAccount) -> Timeline | None:
    """Return the loan on the latest date that any of its facts counts from."""
    return account.timeline(account.latest_on) if account.latest_on else None


def summary_row(account: LoanAccount, line: Timeline | None) -> SummaryRow:
    """Return what is shown of a loan; `line` as from `line_of`."""
    return SummaryRow(
        account.loan_id,
        account.borrower_ref,
        account.product,
        account.terms.currency,
        account.status.value,
        line.principal_outstanding if line else 0,
        *standing_row(account)[1:],
        posting_policy=account.terms.posting_policy,
    )


def standing_row(account: LoanAccount) -> StandingRow:
    """Return how late a loan is, and when that changes."""
    return _standing_row(
        account.loan_id,
        account.standing,
        account.next_transition_on,
        account.version,
        account.known_at,
    )


def aged_row(aged: Aged) -> StandingRow:
    """Return how late a loan is, and when that changes, of which nothing else has changed."""
    event, version = aged.event, aged.logged.version
    return _standing_row(
        event.loan_id, event.standing, event.next_transition_on, version, event.recorded_at
    )


def _standing_row(
    loan_id: str, standing: Standing, upcoming: date | None, version: int, at: datetime | None
) -> StandingRow:
    oldest, arrears = standing.oldest_due_on, standing.arrears_minor
    bucket = standing.buckets["m"]
    return StandingRow(loan_id, oldest, arrears, bucket, upcoming, version, microseconds(at))


def instalments_shown(line: Timeline | None) -> list[Shown]:
    """Return what is shown of each instalment of a loan, oldest first; none before disbursal."""
    return [_shown(row) for row in line.rows] if line else []


def instalment_rows(account: LoanAccount) -> list[InstalmentRow]:
    """Return one row per instalment of a disbursed loan, oldest first."""
    return [InstalmentRow(account.loan_id, *one) for one in instalments_shown(line_of(account))]


def journal_rows(followed: Followed) -> list[JournalRow]:
    """Return one row per posting of a fact; they sum to zero."""
    event = followed.event
    if not isinstance(event, Financial):
        return []
    position, on = followed.logged.position, event.effective_on
    currency = followed.account.terms.currency
    return [
        JournalRow(
            position, number, event.loan_id, on, posting.account, posting.amount_minor, currency
        )
        for number, posting in enumerate(event.postings, start=1)
    ]


def accrual_rows(accrued: Accrued) -> list[JournalRow]:
    """Return one row per posting of an accrual; they belong to no loan."""
    event = accrued.event
    return [
        JournalRow(
            accrued.position,
            number,
            "",
            event.on,
            posting.account,
            posting.amount_minor,
            event.currency,
        )
        for number, posting in enumerate(event.postings, start=1)
    ]


def microseconds(instant: datetime | None) -> int:
    """Return an instant as whole microseconds since 1970; 0 for none."""
    return (instant - _EPOCH) // timedelta(microseconds=1) if instant else 0


def days_past_due(oldest_due_on: date | None, on: date | None) -> int:
    """Return elapsed days since the oldest unpaid due date; 0 when nothing is overdue."""
    return (on - oldest_due_on).days if oldest_due_on and on else 0
