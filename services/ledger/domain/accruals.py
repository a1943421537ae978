"""The accrual of a whole book at a month end: what was earned, less what was booked before."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from services.ledger.domain import chart
from services.ledger.domain.book_events import AccrualPosted
from services.ledger.domain.books import accrued
from services.ledger.domain.events import Posting
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.waterfall import Component

_ACCOUNTS = {
    Component.INTEREST: (chart.INTEREST_RECEIVABLE, chart.INTEREST_INCOME),
    Component.PENALTY: (chart.PENALTY_RECEIVABLE, chart.PENALTY_INCOME),
}


def month_ends(after: date, to: date) -> list[date]:
    """Return the last day of each month after one date, up to another."""
    day, found = after + timedelta(days=1), []
    while day <= to:
        last = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        if last <= to:
            found.append(last)
        day = last + timedelta(days=1)
    return found


def accrual(
    accounts: Iterable[LoanAccount],
    last: AccrualPosted | None,
    *,
    on: date,
    currency: str,
    request_id: str,
    recorded_at: datetime,
) -> AccrualPosted:
    """
    Return the accrual journal of one month end.

    Args:
        accounts: Every loan of the currency whose contract accrues.
        last: The accrual before; None when this is the first.
        on: The month end; facts that count later are left out.
        currency: ISO 4217 code.
        request_id: Names the run.
        recorded_at: When it runs.
    """
    total, loans = dict.fromkeys(_ACCOUNTS, 0), 0
    for account in accounts:
        line = account.timeline(on)
        if line is None:
            continue
        loans += 1
        for component, amount in accrued(line).items():
            total[component] += amount
    before = (last.interest_minor, last.penalty_minor) if last else (0, 0)
    added = zip(_ACCOUNTS.values(), total.values(), before, strict=True)
    return AccrualPosted(
        on=on,
        recorded_at=recorded_at,
        request_id=request_id,
        currency=currency,
        loans=loans,
        interest_minor=total[Component.INTEREST],
        penalty_minor=total[Component.PENALTY],
        postings=tuple(
            posting
            for (receivable, income), now, then in added
            if now != then
            for posting in (Posting(receivable, now - then), Posting(income, then - now))
        ),
    )
