"""What each application adds to our exposure: from approval on, until it falls through or ends."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import msgspec

from services.risk.domain.application import Application
from services.risk.domain.exposure import values_of
from services.risk.domain.loss_sharing import Security


class Held(StrEnum):
    """Why an amount counts, or that it does not any more."""

    RESERVED = "RESERVED"
    CONFIRMED = "CONFIRMED"
    RELEASED = "RELEASED"
    SETTLED = "SETTLED"


COUNTS = (Held.RESERVED, Held.CONFIRMED)
_BY_STATUS = {
    "OFFERED": Held.CONFIRMED,
    "DISCLOSED": Held.CONFIRMED,
    "CONFIRMED": Held.CONFIRMED,
    "CONTRACTED": Held.CONFIRMED,
    "DISBURSING": Held.CONFIRMED,
    "PAYOUT_RETURNED": Held.CONFIRMED,
    "DISBURSED": Held.CONFIRMED,
    "CANCELLING": Held.CONFIRMED,
    "DECLINED": Held.RELEASED,
    "WITHDRAWN": Held.RELEASED,
    "EXPIRED": Held.RELEASED,
    "CANCELLED": Held.RELEASED,
}
"""What an application's status means for its amount; what is not here changes nothing."""


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """
    One application's amount in minor units, and its value in each dimension.

    `steps` is how far the application had come when it was last heard of; `balance_on` the date
    of the balance that the amount is, once the loan's book was kept.
    """

    application_id: str
    currency: str
    amount_minor: int
    values: dict[str, str]
    held: Held
    loan_id: str = ""
    steps: int = 0
    balance_on: date | None = None

    @property
    def counts(self) -> bool:
        """Say whether the amount is part of our exposure."""
        return self.held in COUNTS

    @property
    def ended(self) -> bool:
        """Say whether it fell through or was repaid; what a decision took back may come again."""
        return not self.counts and self.steps > 0


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """An application as origination tells it; the amount in minor units."""

    application_id: str
    loan_id: str
    status: str
    steps: int
    borrower_ref: str
    product: str
    currency: str
    amount_minor: int
    guarantor_ref: str = ""
    securities: tuple[Security, ...] = ()
    applied_on: date | None = None


def decided(before: Reservation | None, given: Application, approved: bool) -> Reservation | None:
    """
    Return the reservation after a decision; None when there is still none.

    An approval reserves; another outcome takes a reservation back, but not what people approved.
    What came to its end by origination's or the ledger's word stays there, and a balance stays
    the balance, whatever is decided on the application again.
    """
    if before is not None and (before.ended or before.balance_on):
        return before
    if approved:
        confirmed = before is not None and before.held is Held.CONFIRMED
        return Reservation(
            application_id=given.application_id,
            currency=given.currency,
            amount_minor=given.amount_minor,
            values=values_of(given),
            held=Held.CONFIRMED if confirmed else Held.RESERVED,
            loan_id=before.loan_id if before else "",
            steps=before.steps if before else 0,
        )
    if before is None or before.held is not Held.RESERVED:
        return before
    return msgspec.structs.replace(before, held=Held.RELEASED)


def heard(before: Reservation | None, told: Heard, given: Application | None) -> Reservation | None:
    """
    Return the reservation after an application moved; older news and other steps change nothing.

    Args:
        before: What was reserved.
        told: The application as origination tells it.
        given: What was decided on, which knows more dimensions; None when it was never decided.
    """
    held = _BY_STATUS.get(told.status)
    if held is None or (before is not None and told.steps <= before.steps):
        return before
    if before is None:
        # Also of what fell through: a decision on it may be heard of later.
        before = Reservation(
            application_id=told.application_id,
            currency=told.currency,
            amount_minor=told.amount_minor,
            values=_values(told, given),
            held=held,
        )
    return msgspec.structs.replace(before, held=held, loan_id=told.loan_id, steps=told.steps)


def _values(told: Heard, given: Application | None) -> dict[str, str]:
    if given is not None:
        return values_of(given)
    return values_of(
        Application(
            application_id=told.application_id,
            product=told.product,
            currency=told.currency,
            amount_minor=told.amount_minor,
            instalments=1,
            monthly_income_minor=0,
            monthly_debt_payments_minor=0,
            monthly_instalment_minor=0,
            other_lenders=0,
            enquiries_30d=0,
            age_years=0,
            attributes={},
            borrower_ref=told.borrower_ref,
            guarantor_ref=told.guarantor_ref,
        )
    )


class LoanEnded(msgspec.Struct, frozen=True, kw_only=True):
    """By which event a loan was settled or sold, whatever was known of its application then."""

    loan_id: str
    type: str


def loan_event(before: Reservation, type_: str) -> Reservation:
    """Return the reservation after a loan's event: settled, sold or returned it ends."""
    ends = ("SETTLED", "TRANSFERRED", "DISBURSEMENT_RETURNED")
    if type_ in ends and before.held is Held.CONFIRMED:
        ended = Held.SETTLED if type_ == "SETTLED" else Held.RELEASED
        return msgspec.structs.replace(before, held=ended)
    if type_ == "REPAYMENT_REVERSED" and before.held is Held.SETTLED:
        return msgspec.structs.replace(before, held=Held.CONFIRMED)
    return before


def balance(before: Reservation, amount_minor: int, on: date) -> Reservation:
    """Return the reservation of a loan whose balance on a date is known; an older one is not."""
    known = before.balance_on is not None and on < before.balance_on
    if before.held is not Held.CONFIRMED or known:
        return before
    return msgspec.structs.replace(before, amount_minor=amount_minor, balance_on=on)
