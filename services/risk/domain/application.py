"""What a decision may look at: the application, reports about the borrower, and our own book."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from services.risk.domain.encoding import encoded
from shared.kernel.errors import InvalidArgument
from shared.kernel.money import minor_digits

LATER: dict[str, Any] = {
    "purpose": "",
    "bureau_unusable": "",
    "income_unusable": "",
    "income_consented_on": None,
    "income_earlier": None,
    "group_ref": "",
    "group_approved_minor": 0,
    "partner_share": "0",
    "joint_partner_minor": 0,
    "joint_minor": 0,
    "lent_minor": 0,
}
"""Fields that decisions of earlier versions did not have, and what they say when empty."""


class FactAfterDecision(InvalidArgument):
    """A fact dated after the decision cannot have been known when it was made."""


class BureauReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a credit bureau says; counts over all lenders, amounts in minor units."""

    source: str
    report_id: str
    reported_on: date
    consented_on: date | None = None
    lenders: int = 0
    enquiries_7d: int = 0
    enquiries_30d: int = 0
    enquiries_90d: int = 0
    monthly_payments_minor: int = 0
    overdue_minor: int = 0

    @property
    def name(self) -> str:
        """Return the bureau's own id of it."""
        return self.report_id

    @property
    def known_from(self) -> date:
        """Return the first date on which it can have been used."""
        return max(self.reported_on, self.consented_on or self.reported_on)


class VerifiedIncome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    Income per month that a third party confirms, minor units.

    `confirmation_id` is the source's own, empty when a request brought it.
    """

    source: str
    verified_on: date
    monthly_minor: int
    confirmation_id: str = ""

    @property
    def name(self) -> str:
        """Return the source's own id of it."""
        return self.confirmation_id

    @property
    def known_from(self) -> date:
        """Return the first date on which it can have been used."""
        return self.verified_on


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """What was approved before under one value of a dimension, and in all; minor units."""

    dimension: str
    value: str
    amount_minor: int
    total_minor: int


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """
    One application with everything the decision looks at; minor units of one currency.

    Of a loan that its partner funds too, `joint_partner_minor` is what was approved before of such
    loans with that partner, `joint_minor` with all, and `lent_minor` what was approved in all.
    `income_earlier` is the lowest other income that was confirmed of the borrower, while fresh.
    """

    application_id: str
    product: str
    currency: str
    amount_minor: int
    instalments: int
    monthly_income_minor: int
    monthly_debt_payments_minor: int
    monthly_instalment_minor: int
    other_lenders: int
    enquiries_30d: int
    age_years: int
    attributes: dict[str, str]
    borrower_ref: str = ""
    decided_on: date = date(2026, 1, 1)
    region: str = ""
    partner_ref: str = ""
    guarantor_ref: str = ""
    bureau: BureauReport | None = None
    income: VerifiedIncome | None = None
    borrower_approved_minor: int = 0
    slices: tuple[Slice, ...] = ()
    purpose: str = ""
    bureau_unusable: str = ""
    income_unusable: str = ""
    income_consented_on: date | None = None
    income_earlier: VerifiedIncome | None = None
    group_ref: str = ""
    group_approved_minor: int = 0
    partner_share: Decimal = Decimal(0)
    joint_partner_minor: int = 0
    joint_minor: int = 0
    lent_minor: int = 0

    def check_dates(self) -> None:
        """
        Refuse what nobody can have known.

        Raises:
            FactAfterDecision: a report, a consent or a confirmation dated after the decision.
        """
        dated: dict[str, date | None] = {
            "bureau_report.reported_on": self.bureau.reported_on if self.bureau else None,
            "bureau_report.consented_on": self.bureau.consented_on if self.bureau else None,
            "verified_income.verified_on": self.income.verified_on if self.income else None,
            "income_consented_on": self.income_consented_on,
        }
        for field, on in dated.items():
            if on is not None and on > self.decided_on:
                raise FactAfterDecision(
                    f"{on} is after {self.decided_on}",
                    field=field,
                    expected=f"on or before {self.decided_on}",
                )

    def encoded(self) -> bytes:
        """
        Return everything looked at as JSON: the same facts, the same bytes.

        A field that came later is left out while it says nothing, so that what was decided before
        has the digest that it had.
        """
        return encoded(self, LATER)

    def digest(self) -> str:
        """Return the SHA-256 of `encoded`."""
        return hashlib.sha256(self.encoded()).hexdigest()


def own_attributes(application: Application) -> dict[str, str]:
    """
    Return the attributes that the application's own fields state.

    What an application asks for is what the model sees of it, whatever is stated beside it.
    """
    scale = 10 ** minor_digits(application.currency)
    found = {
        "credit_amount": f"{Decimal(application.amount_minor) / scale:f}",
        "duration_in_month": str(application.instalments),
    }
    return {**found, "purpose": application.purpose} if application.purpose else found
