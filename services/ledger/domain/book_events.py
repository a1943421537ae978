"""Facts of the ledger as a whole: the business date, and requests that were answered."""

from __future__ import annotations

from datetime import date, datetime

import msgspec

from services.ledger.domain.events import Posting


class BusinessDateAdvanced(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Every day up to this date is closed."""

    on: date
    recorded_at: datetime
    request_id: str
    loans_changed: int
    loans_touched: int


class AccrualPosted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    Income earned by a month end and not booked before, of all loans of one currency that accrue.

    `interest_minor` and `penalty_minor` are all that was ever earned, as known then; the postings
    are what that adds to the accruals before, so that later knowledge is booked when it comes.
    """

    on: date
    recorded_at: datetime
    request_id: str
    currency: str
    loans: int
    interest_minor: int
    penalty_minor: int
    postings: tuple[Posting, ...]
    posting_policy: str = "accrual/1"


class RequestAnswered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request had its effect; the same id gets the same answer for ever."""

    request_id: str
    body_sha256: str
    loan_id: str
    loan_version: int
    business_on: date | None
