"""What secures a loan beside the borrower's promise: how much it may cover, and until when."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from decimal import Decimal

import msgspec

from services.origination.domain.products import Product
from shared.kernel.errors import InvalidArgument, NotFound, Refused

GUARANTOR = "GUARANTEE_KIND_GUARANTOR"
"""The kind of a guarantee that a person or house gives by its word."""

INSURANCE = "GUARANTEE_KIND_INSURANCE"
"""The kind of a guarantee that an insurer sells."""


class GuaranteeNotFound(NotFound):
    """The application has no such guarantee."""


class GuaranteeAlreadyThere(Refused):
    """The application has a guarantee of this id."""


class ProviderIsDebtor(InvalidArgument):
    """Who owes the loan answers for it already: somebody else guarantees or insures it."""


class InsuranceExpired(Refused):
    """The insurance policy is not valid any more."""


class InsuranceNotYetValid(Refused):
    """The insurance policy is not valid yet."""


class InsuranceEndsTooEarly(Refused):
    """The insurance policy ends before the last instalment and its waiting period."""


class LoanToValueExceeded(Refused):
    """The thing is worth too little for what it is to secure."""


class ValuationInTheFuture(Refused):
    """A thing is valued before it secures anything."""


class ValuationTooOld(Refused):
    """The thing was valued too long ago."""


class SecurityCurrencyDiffers(InvalidArgument):
    """Security is stated in the application's currency."""


class Insurance(msgspec.Struct, frozen=True, kw_only=True):
    """A policy of performance guarantee insurance (履约保证保险)."""

    policy_number: str
    valid_from: date
    valid_until: date
    cover_share: Decimal
    deductible_minor: int
    waiting_days: int


class Collateral(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that can be sold; minor units."""

    description: str
    value_minor: int
    valued_on: date
    prior_liens_minor: int
    registration_number: str = ""
    registered_on: date | None = None


class Guarantee(msgspec.Struct, frozen=True, kw_only=True):
    """One security of one application; minor units of its currency."""

    guarantee_id: str
    kind: str
    provider_ref: str
    amount_minor: int
    fee_minor: int = 0
    debtor_group: str = ""
    insurance: Insurance | None = None
    collateral: Collateral | None = None
    consented_sha256: str = ""
    consents_to_changes: bool = False
    released_on: date | None = None


def check_provider(given: Guarantee, debtors: Collection[str]) -> None:
    """
    Refuse a promise of those who owe the loan themselves; a thing may be their own.

    Raises:
        ProviderIsDebtor
    """
    if given.collateral is None and given.provider_ref in debtors:
        raise ProviderIsDebtor(
            f"{given.provider_ref} owes the loan",
            field="provider_ref",
            expected="somebody who does not owe the loan",
        )


def check_insurance(given: Guarantee, on: date, matures_on: date) -> None:
    """
    Let an insurance policy secure a loan that matures on a date.

    Raises:
        InsuranceExpired, InsuranceNotYetValid, InsuranceEndsTooEarly
    """
    policy = given.insurance
    assert policy is not None
    name, until = policy.policy_number, policy.valid_until
    if on > until:
        raise InsuranceExpired(
            f"policy {name} ended on {until}",
            field="insurance.valid_until",
            expected=f"{on} or later",
            on=on,
        )
    if on < policy.valid_from:
        raise InsuranceNotYetValid(
            f"policy {name} begins on {policy.valid_from}",
            field="insurance.valid_from",
            expected=f"by {on}",
            on=on,
        )
    needed = date.fromordinal(matures_on.toordinal() + policy.waiting_days)
    if until < needed:
        raise InsuranceEndsTooEarly(
            f"policy {name} ends on {until}; the loan matures on {matures_on} and claims wait"
            f" {policy.waiting_days} days",
            field="insurance.valid_until",
            expected=f"{needed} or later",
        )


def cover_minor(given: Guarantee, principal_minor: int) -> int:
    """Return what a security pays of a lost principal; nothing once it is released."""
    if given.released_on is not None:
        return 0
    policy = given.insurance
    if policy is None:
        return given.amount_minor
    share = int((principal_minor - policy.deductible_minor) * policy.cover_share)
    return max(0, min(share, given.amount_minor))


def is_registered(thing: Collateral, on: date) -> bool:
    """Say whether the lien on a thing stands in the register on a date, under a number."""
    since = thing.registered_on
    return since is not None and since <= on and bool(thing.registration_number.strip())


def check_collateral(given: Guarantee, product: Product, on: date) -> None:
    """
    Let a thing secure an amount.

    Raises:
        ValuationInTheFuture: valued after the date.
        ValuationTooOld: valued before the days that the product allows.
        LoanToValueExceeded: prior liens and the amount are above the share of its value.
    """
    thing = given.collateral
    assert thing is not None
    if thing.valued_on > on:
        raise ValuationInTheFuture(
            f"valued on {thing.valued_on}", field="collateral.valued_on", expected=f"by {on}"
        )
    if (on - thing.valued_on).days > product.valuation_days_max:
        raise ValuationTooOld(
            f"valued on {thing.valued_on}",
            field="collateral.valued_on",
            expected=f"at most {product.valuation_days_max} days before {on}",
        )
    room = int(thing.value_minor * product.loan_to_value_max) - thing.prior_liens_minor
    if given.amount_minor > room:
        raise LoanToValueExceeded(
            f"{thing.description} secures up to {max(0, room)}, not {given.amount_minor}",
            field="amount",
            expected=f"up to {max(0, room)} minor units",
            loan_to_value_max=product.loan_to_value_max,
        )
