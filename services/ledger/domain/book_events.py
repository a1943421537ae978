"""Facts of the ledger as a whole: the business date, and requests that were answered."""

from __future__ import annotations

from datetime import date, datetime

import msgspec


class BusinessDateAdvanced(msgspec.Struct, frozen=True, kw_only=True):
    """Every day up to this date is closed."""

    on: date
    recorded_at: datetime
    request_id: str
    loans_changed: int
    loans_touched: int


class RequestAnswered(msgspec.Struct, frozen=True, kw_only=True):
    """A request had its effect; the same id gets the same answer for ever."""

    request_id: str
    body_sha256: str
    loan_id: str
    loan_version: int
    business_on: date | None
