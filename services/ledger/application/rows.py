"""The rows that people look up, each a pure function of an account; replay compares with these."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.ledger.application.following import Accrued, Followed
from services.ledger.domain.events import Financial
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.timeline import Timeline

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def line_of(account: LoanAccount) -> Timeline | None:
    """Return the loan on the latest date that any of its facts counts from."""
    return account.timeline(account.latest_on) if account.latest_on else None


def summary_row(account: LoanAccount) -> dict[str, Any]:
    """Return one row of `loan_summary`; amounts in minor units."""
    line = line_of(account)
    return {
        "loan_id": account.loan_id,
        "borrower_ref": account.borrower_ref,
        "product": account.product,
        "currency": account.terms.currency,
        "status": str(account.status),
        "principal_outstanding_minor": line.principal_outstanding if line else 0,
        **standing_columns(account),
        "posting_policy": account.terms.posting_policy,
    }


def standing_columns(account: LoanAccount) -> dict[str, Any]:
    """Return what ageing changes of a row of `loan_summary`; nothing else depends on it."""
    standing = account.standing
    return {
        "oldest_due_on": standing.oldest_due_on,
        "arrears_minor": standing.arrears_minor,
        "bucket": standing.buckets["m"],
        "next_transition_on": account.next_transition_on,
        "version": account.version,
        "changed_at_us": microseconds(account.known_at),
    }


def instalment_rows(account: LoanAccount) -> list[dict[str, Any]]:
    """Return one row of `instalments` per instalment of a disbursed loan, oldest first."""
    line = line_of(account)
    return [
        {
            "loan_id": account.loan_id,
            "number": row.number,
            "due_on": row.due_on,
            "principal_due_minor": row.principal_due,
            "interest_due_minor": row.interest_due,
            "principal_paid_minor": row.principal_paid,
            "interest_paid_minor": row.interest_paid,
            "paid_on": row.paid_on,
        }
        for row in (line.rows if line else [])
    ]


def journal_rows(followed: Followed) -> list[dict[str, Any]]:
    """Return one row of `journal_lines` per posting of a fact; they sum to zero."""
    event = followed.event
    if not isinstance(event, Financial):
        return []
    return [
        {
            "position": followed.logged.position,
            "line": number,
            "loan_id": event.loan_id,
            "effective_on": event.effective_on,
            "account": posting.account,
            "amount_minor": posting.amount_minor,
            "currency": followed.account.terms.currency,
        }
        for number, posting in enumerate(event.postings, start=1)
    ]


def accrual_rows(accrued: Accrued) -> list[dict[str, Any]]:
    """Return one row of `journal_lines` per posting of an accrual; they belong to no loan."""
    return [
        {
            "position": accrued.position,
            "line": number,
            "loan_id": "",
            "effective_on": accrued.event.on,
            "account": posting.account,
            "amount_minor": posting.amount_minor,
            "currency": accrued.event.currency,
        }
        for number, posting in enumerate(accrued.event.postings, start=1)
    ]


def microseconds(instant: datetime | None) -> int:
    """Return an instant as whole microseconds since 1970; 0 for none."""
    return (instant - _EPOCH) // timedelta(microseconds=1) if instant else 0


def days_past_due(oldest_due_on: date | None, on: date | None) -> int:
    """Return elapsed days since the oldest unpaid due date; 0 when nothing is overdue."""
    return (on - oldest_due_on).days if oldest_due_on and on else 0
