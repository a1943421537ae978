"""What a caller can ask of one loan; the facts of the request, nothing looked up."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import msgspec

from services.ledger.domain.facts import AccelerationGround
from services.ledger.domain.policies import DelinquencyPolicy
from services.ledger.domain.terms import Restructuring, Terms
from services.ledger.domain.waterfall import Component, PaymentSource


class Asked(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    What every command states: the loan, the request, and when and by whom it was asked.

    `version`, when above 0, is the one that the caller looked at: another one refuses.
    """

    loan_id: str
    request_id: str
    recorded_at: datetime
    business_on: date | None
    actor: str = "internal"
    traceparent: str = ""
    version: int = 0


class OpenLoan(Asked, frozen=True, kw_only=True, gc=False):
    """Open an account under these terms."""

    borrower_ref: str
    product: str
    terms: Terms


class DisburseLoan(Asked, frozen=True, kw_only=True, gc=False):
    """Pay the principal out, or a part of it where the terms allow several disbursements."""

    value_on: date
    amount_minor: int
    currency: str


class PostRepayment(Asked, frozen=True, kw_only=True, gc=False):
    """Take money in."""

    value_on: date
    amount_minor: int
    currency: str
    source: PaymentSource = PaymentSource.BORROWER


class PostRecovery(Asked, frozen=True, kw_only=True, gc=False):
    """Take money in after charge-off."""

    value_on: date
    amount_minor: int
    currency: str


class ReverseRepayment(Asked, frozen=True, kw_only=True, gc=False):
    """Take a repayment back."""

    repayment_id: str
    reason: str


class ApplyCharge(Asked, frozen=True, kw_only=True, gc=False):
    """Charge an amount; with `due_on` it belongs to the instalment of that date."""

    value_on: date
    amount_minor: int
    currency: str
    reason: str
    component: Component = Component.FEE
    due_on: date | None = None


class WaiveCharge(Asked, frozen=True, kw_only=True, gc=False):
    """Let go of what is unpaid of a charge."""

    charge_id: str
    value_on: date
    reason: str
    approved_by: str


class RefundCredit(Asked, frozen=True, kw_only=True, gc=False):
    """Pay a credit balance back."""

    value_on: date
    amount_minor: int
    currency: str
    reason: str


class PauseInterest(Asked, frozen=True, kw_only=True, gc=False):
    """Let no interest be earned from one day to another, both included."""

    from_on: date
    until_on: date
    reason: str
    approved_by: str


class PauseDelinquency(Asked, frozen=True, kw_only=True, gc=False):
    """Let the days from one to another not count as late."""

    from_on: date
    until_on: date
    reason: str


class ResumeDelinquency(Asked, frozen=True, kw_only=True, gc=False):
    """End the running pause."""

    on: date
    reason: str


class ChangeDelinquencyPolicy(Asked, frozen=True, kw_only=True, gc=False):
    """From a date on, classify how late the loan is under another policy, or another version."""

    effective_on: date
    policy: DelinquencyPolicy
    reason: str
    approved_by: str


class RestructureLoan(Asked, frozen=True, kw_only=True, gc=False):
    """
    Replace the rest of the schedule.

    What is None stays: the number of coming instalments, the next due date, the rate.
    """

    effective_on: date
    reason: str
    approved_by: str
    instalments: int | None = None
    first_due_on: date | None = None
    rate_annual: Decimal | None = None
    kind: Restructuring = Restructuring.RESCHEDULE


class AccelerateLoan(Asked, frozen=True, kw_only=True, gc=False):
    """Declare what is not due yet due, after the borrower was told."""

    effective_on: date
    ground: AccelerationGround
    notified_on: date
    reason: str
    approved_by: str


class WithdrawAcceleration(Asked, frozen=True, kw_only=True, gc=False):
    """Take the acceleration back: the instalments are due as they were."""

    reason: str
    approved_by: str


class TransferLoan(Asked, frozen=True, kw_only=True, gc=False):
    """Sell the loan: another creditor, the same debt."""

    effective_on: date
    creditor_ref: str
    price_minor: int
    currency: str
    reason: str
    approved_by: str


class ChargeOffLoan(Asked, frozen=True, kw_only=True, gc=False):
    """Take the loan off the books."""

    effective_on: date
    reason: str


class UndoChargeOff(Asked, frozen=True, kw_only=True, gc=False):
    """Take the loan back on the books."""

    reason: str
    approved_by: str


class WriteOffLoan(Asked, frozen=True, kw_only=True, gc=False):
    """Let go of the debt of a loan that was charged off."""

    effective_on: date
    reason: str
    approved_by: str


class SettleLoan(Asked, frozen=True, kw_only=True, gc=False):
    """Take money in as full settlement; the rest of the debt is let go."""

    value_on: date
    amount_minor: int
    currency: str
    reason: str
    approved_by: str


class ReturnDisbursement(Asked, frozen=True, kw_only=True, gc=False):
    """Take in that the bank sent back what was paid out; the loan is cancelled."""

    value_on: date
    amount_minor: int
    currency: str
    reason: str
    approved_by: str


class PostGuaranteePayment(Asked, frozen=True, kw_only=True, gc=False):
    """Take a guarantor's or insurer's payment in."""

    value_on: date
    amount_minor: int
    currency: str
    guarantor_ref: str


class AgeLoan(Asked, frozen=True, kw_only=True, gc=False):
    """Record every change of standing up to a date."""

    to_on: date
