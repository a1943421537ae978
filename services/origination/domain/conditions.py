"""Conditions precedent: what must be there before a contract, and before money is paid out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from services.origination.domain.application import Application
from services.origination.domain.products import Product
from services.origination.domain.securities import (
    check_collateral,
    check_insurance,
    cover_minor,
    is_registered,
)
from shared.kernel.errors import Refused


class ConditionsOutstanding(Refused):
    """Something that must be there before this step is not there yet."""


class Condition(NamedTuple):
    """One thing that is missing."""

    code: str
    text: str


def contract_conditions(
    now: Application, product: Product, on: date, matures_on: date
) -> list[Condition]:
    """Return what a contract lacks: enough cover, each security good until the loan matures."""
    found = []
    covered = sum(cover_minor(g, now.lent_minor) for g in now.guarantees)
    needed = int(now.lent_minor * product.cover_min)
    if covered < needed:
        text = f"securities cover {covered} of the {needed} that {product.version} asks for"
        found.append(Condition("COVER_TOO_LOW", text))
    for guarantee in now.guarantees:
        try:
            if guarantee.insurance is not None:
                check_insurance(guarantee, on, matures_on)
            if guarantee.collateral is not None:
                check_collateral(guarantee, product, on)
        except Refused as refusal:
            found.append(Condition(refusal.reason, refusal.message))
    return found


def payout_conditions(
    now: Application, product: Product, on: date, matures_on: date
) -> list[Condition]:
    """Return what stands before paying out: all of the contract's, consents, liens, signatures."""
    found = contract_conditions(now, product, on, matures_on)
    for g in now.guarantees:
        if g.insurance is None and g.consented_sha256 != now.contract_sha256:
            found.append(
                Condition("CONSENT_MISSING", f"{g.guarantee_id} has not consented to the contract")
            )
        if g.collateral is not None and not is_registered(g.collateral, on):
            found.append(Condition("LIEN_NOT_REGISTERED", f"the lien on {g.guarantee_id}"))
    signed = {s.party_ref for s in now.signatures if s.contract_sha256 == now.contract_sha256}
    for party in (now.borrower_ref, *(c.borrower_ref for c in now.co_borrowers)):
        if party not in signed:
            found.append(Condition("SIGNATURE_MISSING", f"{party} has not signed"))
    return found


def refuse(found: Sequence[Condition], step: str) -> None:
    """
    Refuse a step with everything that it lacks.

    Raises:
        ConditionsOutstanding: with one code and sentence per condition.
    """
    if not found:
        return
    refusal = ConditionsOutstanding(
        f"cannot {step}: " + "; ".join(condition.text for condition in found),
        field="application_id",
        expected=", ".join(dict.fromkeys(condition.code for condition in found)),
    )
    for number, condition in enumerate(found, 1):
        refusal.facts[f"condition_{number}"] = f"{condition.code}: {condition.text}"
    raise refusal
