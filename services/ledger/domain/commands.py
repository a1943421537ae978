"""What a caller can ask of one loan; the facts of the request, nothing looked up."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import msgspec

from services.ledger.domain.terms import Terms


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What every command states: the loan, the request, and when and by whom it was asked."""

    loan_id: str
    request_id: str
    recorded_at: datetime
    business_on: date | None
    actor: str = "internal"
    traceparent: str = ""


class OpenLoan(Asked, frozen=True, kw_only=True):
    """Open an account under these terms."""

    borrower_ref: str
    product: str
    terms: Terms


class DisburseLoan(Asked, frozen=True, kw_only=True):
    """Pay the principal out."""

    value_on: date
    amount_minor: int
    currency: str


class PostRepayment(Asked, frozen=True, kw_only=True):
    """Take money in."""

    value_on: date
    amount_minor: int
    currency: str


class PostRecovery(Asked, frozen=True, kw_only=True):
    """Take money in after charge-off."""

    value_on: date
    amount_minor: int
    currency: str


class ReverseRepayment(Asked, frozen=True, kw_only=True):
    """Take a repayment back."""

    repayment_id: str
    reason: str


class ApplyCharge(Asked, frozen=True, kw_only=True):
    """Charge an amount."""

    value_on: date
    amount_minor: int
    currency: str
    reason: str


class RestructureLoan(Asked, frozen=True, kw_only=True):
    """Replace the rest of the schedule."""

    effective_on: date
    instalments: int
    first_due_on: date
    rate_annual: Decimal
    reason: str
    approved_by: str


class ChargeOffLoan(Asked, frozen=True, kw_only=True):
    """Take the loan off the books."""

    effective_on: date
    reason: str


class AgeLoan(Asked, frozen=True, kw_only=True):
    """Record every change of standing up to a date."""

    to_on: date
