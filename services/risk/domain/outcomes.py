"""How loans turned out within one window of time that is the same for good and for bad."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from services.risk.domain.book import BookRow, is_bad, is_month_end


class LoanOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One loan that was watched for the whole window, and whether it turned bad within it."""

    loan_id: str
    disbursed_on: date
    bad: bool


def outcomes(
    history: Sequence[Sequence[BookRow]], dates: Sequence[date], window_months: int
) -> dict[str, LoanOutcome]:
    """
    Return the outcome of each loan whose window is over, by loan id.

    A loan is watched at the month ends 0 to `window_months` after the month of its pay-out, and
    has an outcome only once it was seen at the last of them: a bad loan is not known any sooner
    than a good one, since otherwise young cohorts would consist of bad loans alone. One that was
    sold before it turned bad has none, for nobody watched it to the end.

    Args:
        history: The books kept, oldest first.
        dates: Their dates; those that are no month end say nothing.
        window_months: Month ends after that of the pay-out.
    """
    turned, sold, found = set[str](), set[str](), dict[str, LoanOutcome]()
    for book, on in zip(history, dates, strict=True):
        if not is_month_end(on):
            continue
        for row in book:
            months = month_ends_after(row.disbursed_on, on)
            if row.loan_id in sold or not 0 <= months <= window_months:
                continue
            if row.creditor_ref and row.loan_id not in turned:
                sold.add(row.loan_id)
                continue
            if is_bad(row):
                turned.add(row.loan_id)
            if months == window_months:
                found[row.loan_id] = LoanOutcome(
                    loan_id=row.loan_id,
                    disbursed_on=row.disbursed_on,
                    bad=row.loan_id in turned,
                )
    return found


def month_ends_after(start: date, on: date) -> int:
    """Return how many month ends after that of its own month a date lies."""
    return (on.year - start.year) * 12 + on.month - start.month
