"""Things and insurance policies: what each secures here, so that nothing is counted twice."""

from __future__ import annotations

import hashlib
import unicodedata

import msgspec

from services.origination.domain.products import Product
from services.origination.domain.securities import (
    Guarantee,
    LoanToValueExceeded,
    SecurityCurrencyDiffers,
)
from shared.kernel.errors import Refused

NOT_SEEN = {"Zs", "Zl", "Zp", "Cc", "Cf"}
"""Unicode's categories of spaces and of what has no shape."""


class PolicySecuresAnother(Refused):
    """An insurance policy secures one loan; another one needs a policy of its own."""


class Secured(msgspec.Struct, frozen=True, kw_only=True):
    """What is secured for one application, minor units."""

    application_id: str
    amount_minor: int


class Pledge(msgspec.Struct, frozen=True, kw_only=True):
    """A thing or a policy and what it secures, oldest first, in one currency."""

    pledge_id: str
    currency: str
    secured: tuple[Secured, ...] = ()


def pledge_id(given: Guarantee) -> str:
    """Name what is pledged, whoever states it; empty for who gives only a word."""
    if given.collateral is not None:
        return f"thing/{given.provider_ref}"
    if given.insurance is None:
        return ""
    number = _plain(given.insurance.policy_number)
    policy = hashlib.sha256(f"{given.provider_ref}\0{number}".encode()).hexdigest()
    return f"policy/{policy}"


def _plain(number: str) -> str:
    """Return a number however it is typed: wide or narrow, spaced, in small letters, pasted."""
    narrow = unicodedata.normalize("NFKC", number).upper()
    return "".join(c for c in narrow if unicodedata.category(c) not in NOT_SEEN)


def pledged(
    known: Pledge | None, given: Guarantee, application_id: str, currency: str, product: Product
) -> Pledge:
    """
    Add what a thing or a policy secures.

    Raises:
        PolicySecuresAnother: the policy secures another application.
        LoanToValueExceeded: prior liens, our own on it and the amount are above its share of value.
        SecurityCurrencyDiffers: the thing secures loans in another currency.
    """
    before = tuple(s for s in known.secured if s.application_id != application_id) if known else ()
    if before and known is not None and known.currency != currency:
        raise SecurityCurrencyDiffers(
            f"{given.provider_ref} secures loans in {known.currency}",
            field="amount.currency",
            expected=known.currency,
        )
    if before and given.insurance is not None:
        raise PolicySecuresAnother(
            f"policy {given.insurance.policy_number} secures {before[0].application_id}",
            field="insurance.policy_number",
            expected="a policy that secures no other loan",
        )
    thing, ours = given.collateral, sum(s.amount_minor for s in before)
    if thing is not None:
        worth = int(thing.value_minor * product.loan_to_value_max)
        room = max(0, worth - thing.prior_liens_minor - ours)
        if given.amount_minor > room:
            raise LoanToValueExceeded(
                f"{thing.description} secures up to {room} more, not {given.amount_minor}",
                field="amount",
                expected=f"up to {room} minor units",
                secured_here_minor=ours,
                loan_to_value_max=product.loan_to_value_max,
            )
    others = Pledge(pledge_id=pledge_id(given), currency=currency, secured=before)
    return with_more(others, application_id, given.amount_minor)


def with_more(pledge: Pledge, application_id: str, amount_minor: int) -> Pledge:
    """Add what is secured for one more application."""
    more = Secured(application_id=application_id, amount_minor=amount_minor)
    return msgspec.structs.replace(pledge, secured=(*pledge.secured, more))


def freed(pledge: Pledge, application_id: str) -> Pledge:
    """Drop what is secured for an application."""
    left = tuple(s for s in pledge.secured if s.application_id != application_id)
    return msgspec.structs.replace(pledge, secured=left)
