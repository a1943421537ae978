"""The facts of a loan as the timeline needs them, and where they leave it in its life."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import msgspec

from services.ledger.domain.policies import DelinquencyPolicy
from services.ledger.domain.terms import Terms
from services.ledger.domain.waterfall import Component, PaymentSource


class LoanStatus(StrEnum):
    """Where a loan stands in its life."""

    OPENED = "OPENED"
    ACTIVE = "ACTIVE"
    CHARGED_OFF = "CHARGED_OFF"
    SETTLED = "SETTLED"
    WRITTEN_OFF = "WRITTEN_OFF"
    CANCELLED = "CANCELLED"


class AccelerationGround(StrEnum):
    """Why a lender may ask for the whole debt before it is due."""

    ARREARS = "ARREARS"
    MISUSE = "MISUSE"
    MISREPRESENTATION = "MISREPRESENTATION"
    SECURITY_IMPAIRED = "SECURITY_IMPAIRED"
    INSOLVENCY = "INSOLVENCY"
    OTHER_BREACH = "OTHER_BREACH"


class FactKind(StrEnum):
    """The facts that change balances or how lateness is counted."""

    DISBURSEMENT = "DISBURSEMENT"
    DISBURSEMENT_RETURN = "DISBURSEMENT_RETURN"
    REPAYMENT = "REPAYMENT"
    CHARGE = "CHARGE"
    WAIVER = "WAIVER"
    REFUND = "REFUND"
    RESTRUCTURE = "RESTRUCTURE"
    ACCELERATION = "ACCELERATION"
    INTEREST_PAUSE = "INTEREST_PAUSE"
    DELINQUENCY_PAUSE = "DELINQUENCY_PAUSE"
    DELINQUENCY_RESUME = "DELINQUENCY_RESUME"
    DELINQUENCY_POLICY = "DELINQUENCY_POLICY"
    CHARGE_OFF = "CHARGE_OFF"
    RECOVERY = "RECOVERY"
    WRITE_OFF = "WRITE_OFF"
    SETTLEMENT = "SETTLEMENT"
    GUARANTEE = "GUARANTEE"
    TRANSFER = "TRANSFER"


class MoneyFact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    One fact as the timeline needs it: when it counts, in which order, how much.

    `due_on` of a charge is its due date, of a pause its first day. `hands_back`: interest paid for
    what it lets nobody owe is the borrower's again.
    """

    kind: FactKind
    effective_on: date
    version: int
    fact_id: str = ""
    amount_minor: int = 0
    terms: Terms | None = None
    component: Component = Component.FEE
    due_on: date | None = None
    until_on: date | None = None
    source: PaymentSource = PaymentSource.BORROWER
    party_ref: str = ""
    policy: DelinquencyPolicy | None = None
    hands_back: bool = False
