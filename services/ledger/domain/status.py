"""Where a loan stands in its life on a date, derived from its timeline whenever it is looked at."""

from __future__ import annotations

from datetime import date

from services.ledger.domain.facts import FactKind, LoanStatus
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.timeline import Timeline


def status_on(account: LoanAccount, line: Timeline | None, on: date) -> LoanStatus:
    """
    Return the status of a loan on a date, as its account knows it.

    Args:
        account: With everything that is known.
        line: The loan on the date; None before it was paid out.
        on: The date.
    """
    if line is None:
        return LoanStatus.OPENED
    if account.status is LoanStatus.WRITTEN_OFF and _written_off_by(account, on):
        return LoanStatus.WRITTEN_OFF
    if line.returned_on is not None:
        return LoanStatus.CANCELLED
    if not line.owes(1):
        return LoanStatus.SETTLED
    return LoanStatus.ACTIVE if line.charged_off_on is None else LoanStatus.CHARGED_OFF


def reason_of(status: LoanStatus) -> str:
    """Return why a loan stands there, where its status alone does not say; else empty."""
    return "PAYOUT_RETURNED" if status is LoanStatus.CANCELLED else ""


def _written_off_by(account: LoanAccount, on: date) -> bool:
    facts = reversed(account.counting)
    return any(f.kind is FactKind.WRITE_OFF and f.effective_on <= on for f in facts)
