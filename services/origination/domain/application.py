"""An application goes through its steps in order; each leaves a line in its trail."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from services.origination.domain.payouts import Payout, paid_before
from services.origination.domain.proposals import Proposal
from services.origination.domain.resolutions import hangs_at
from services.origination.domain.securities import Guarantee
from services.origination.domain.state_machine import Status, Step, follow
from shared.kernel.errors import InvalidArgument, NotFound, Refused


class ApplicationNotFound(NotFound):
    """No application has this id."""


class ApplicationDateOutOfRange(InvalidArgument):
    """An application is dated on the business date, or a few days back; it chooses no law."""


class OfferNotFound(NotFound):
    """The application has no such offer."""


class OfferNotExpired(Refused):
    """The offer can still be taken up."""


class Stamp(msgspec.Struct, frozen=True):
    """Who takes a step, and when."""

    at: datetime
    by: str


class TrailEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One step taken; `note` is a hash, a reason or a version that it went by."""

    step: str
    status: str
    at: datetime
    by: str
    note: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What one check of the applicant answered."""

    name: str
    outcome: str
    code: str = ""
    text_en: str = ""
    text_zh: str = ""


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One option: its terms are the ledger's, as JSON; rates are nominal annual fractions."""

    offer_id: str
    grade: str
    terms_json: str
    total_payable_minor: int
    all_in_rate_annual: str
    principal_minor: int = 0
    counter: bool = False


class ShownCost(msgspec.Struct, frozen=True, kw_only=True):
    """What was disclosed last: for a payout on which day, how much in all, at what annual cost."""

    on: date
    total_payable_minor: int
    all_in_rate_annual: Decimal
    payoff_minor: int = 0


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What one person said of a referred application."""

    reviewer_ref: str
    approves: bool
    reason: str
    at: datetime
    reason_codes: tuple[str, ...] = ()


class CoBorrower(msgspec.Struct, frozen=True, kw_only=True):
    """Owes the loan together with the borrower."""

    borrower_ref: str
    name: str
    identity_number: str
    public_key: str = ""


class ConfirmedIncome(msgspec.Struct, frozen=True, kw_only=True):
    """Income per month that a third party confirms; minor units of the application's currency."""

    source: str
    verified_on: date
    monthly_minor: int


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence that a party accepted a contract; without a key it is a confirmed click."""

    party_ref: str
    contract_sha256: str
    at: datetime
    public_key: str = ""
    signature: str = ""


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """One application; decision and terms are kept as the contracts' JSON."""

    application_id: str
    borrower_ref: str
    applicant_name: str
    identity_number: str
    product: str
    currency: str
    amount_minor: int
    instalments: int
    method: str
    monthly_income_minor: int
    monthly_debt_payments_minor: int
    other_lenders: int
    enquiries_30d: int
    age_years: int
    purpose: str
    attributes: dict[str, str]
    applied_on: date
    account_ref: str = ""
    co_borrowers: tuple[CoBorrower, ...] = ()
    region: str = ""
    partner_ref: str = ""
    partner_share: Decimal = Decimal(0)
    income: ConfirmedIncome | None = None
    income_consented_on: date | None = None
    status: Status = Status.SUBMITTED
    policy_version: str = ""
    checks: tuple[Check, ...] = ()
    reviews: tuple[Review, ...] = ()
    offers: tuple[Offer, ...] = ()
    offer_id: str = ""
    terms_json: str = ""
    decision_json: str = ""
    asked_decision_json: str = ""
    valid_until_on: date | None = None
    disclosure_sha256: str = ""
    education_sha256: str = ""
    disclosed_at: datetime | None = None
    shown_cost: ShownCost | None = None
    notice_sha256: str = ""
    queued_at: datetime | None = None
    decided_on: date | None = None
    contract_sha256: str = ""
    signatures: tuple[Signature, ...] = ()
    guarantees: tuple[Guarantee, ...] = ()
    payouts: tuple[Payout, ...] = ()
    cooling_off_until_on: date | None = None
    cancelled_on: date | None = None
    cancelled_minor: int = 0
    cancelled_by: str = ""
    cancellation_id: str = ""
    proposal: Proposal | None = None
    public_key: str = ""
    refinances: str = ""
    draft_json: str = ""
    trail: tuple[TrailEntry, ...] = ()

    @property
    def loan_id(self) -> str:
        """The loan that this application becomes."""
        return f"L-{self.application_id}"

    @property
    def fees_elsewhere_minor(self) -> int:
        """What the borrower pays to guarantors and insurers for this loan."""
        return sum(g.fee_minor for g in self.guarantees)

    @property
    def lent_minor(self) -> int:
        """What is lent: the principal of the offer chosen, before one what was asked for."""
        return (self.offer.principal_minor if self.offer else 0) or self.amount_minor

    @property
    def hangs_at(self) -> str:
        """What of its payout under way is refused and needs people; empty where nothing is."""
        under_way = self.status is Status.DISBURSING
        return (hangs_at(self.payouts[-1]) or "") if under_way else ""

    @property
    def status_once_returned(self) -> Status:
        """Where it stands when its last order comes back: parts that were paid before stay so."""
        return Status.DISBURSED if paid_before(self.payouts) else Status.PAYOUT_RETURNED

    @property
    def offer(self) -> Offer | None:
        """The offer chosen, if any."""
        return next((o for o in self.offers if o.offer_id == self.offer_id), None)


def check_applied_on(applied_on: date, business_on: date | None, days_back_max: int) -> None:
    """
    Let an application be dated on the business date or at most some days back.

    Raises:
        ApplicationDateOutOfRange: with the dates that are possible.
    """
    if business_on is None:
        return
    first = business_on - timedelta(days=days_back_max)
    if not first <= applied_on <= business_on:
        raise ApplicationDateOutOfRange(
            f"dated {applied_on}, the business date is {business_on}",
            field="applied_on",
            expected=f"{first} to {business_on}",
        )


def stepped(
    now: Application, step: Step, after: Status, stamp: Stamp, note: str = "", **changes: Any
) -> Application:
    """
    Take a step: the status moves, the trail grows.

    Raises:
        StepOutOfOrder: as the fact that stands in the way.
    """
    status = follow(now.status, step, after)
    line = TrailEntry(step=step, status=status, at=stamp.at, by=stamp.by, note=note)
    return msgspec.structs.replace(now, status=status, trail=(*now.trail, line), **changes)


def noted(now: Application, what: str, stamp: Stamp, note: str, **changes: Any) -> Application:
    """Change what an application holds without moving it; the trail says so."""
    line = TrailEntry(step=what, status=now.status, at=stamp.at, by=stamp.by, note=note)
    return msgspec.structs.replace(now, trail=(*now.trail, line), **changes)


def offered(offers: tuple[Offer, ...], offer_id: str) -> dict[str, Any]:
    """
    Return what changes when an offer is chosen: its terms count, nothing was shown or signed.

    Raises:
        OfferNotFound: with the ids that there are.
    """
    for offer in offers:
        if offer.offer_id == offer_id:
            return {
                "offers": offers,
                "offer_id": offer_id,
                "terms_json": offer.terms_json,
                "disclosure_sha256": "",
                "education_sha256": "",
                "disclosed_at": None,
                "shown_cost": None,
                "contract_sha256": "",
                "signatures": (),
            }
    raise OfferNotFound(
        f"no offer {offer_id[:40]!r}",
        field="offer_id",
        expected="one of " + ", ".join(offer.offer_id for offer in offers),
    )


def expired(now: Application, on: date, stamp: Stamp) -> Application:
    """
    Let an application lapse whose time is over.

    Raises:
        OfferNotExpired: its last day has not passed.
    """
    after = stepped(now, Step.EXPIRE, Status.EXPIRED, stamp, str(now.valid_until_on))
    if not is_over(now, on):
        raise OfferNotExpired(
            f"it is valid until {now.valid_until_on}",
            field="application_id",
            expected=f"after {now.valid_until_on}",
            on=on,
        )
    return after


def is_over(now: Application, on: date) -> bool:
    """Say whether the last day on which an application can be taken further has passed."""
    return now.valid_until_on is not None and on > now.valid_until_on
