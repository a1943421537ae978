"""Exposure: how much was approved per product, region, partner, guarantor; how concentrated."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import msgspec

from services.risk.domain.application import Application

DIMENSIONS = ("product", "region", "partner", "guarantor")
BORROWER, GROUP, GUARANTOR, EVERYTHING, NONE = "borrower", "group", "guarantor", "all", "-"

JOINT, JOINTLY = "joint", "jointly"
"""Loans that a partner funds too: by partner, and all of them."""


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """Approved decisions of one value of a dimension in one currency; the sum in minor units."""

    currency: str
    dimension: str
    value: str
    approved: int = 0
    amount_minor: int = 0


def values_of(application: Application) -> dict[str, str]:
    """Return where an application counts, by dimension; "-" where it has no value."""
    group = {GROUP: application.group_ref} if application.group_ref else {}
    joint = {JOINT: application.partner_ref, JOINTLY: EVERYTHING}
    return {
        **group,
        **(joint if application.partner_share else {}),
        "product": application.product,
        "region": application.region or NONE,
        "partner": application.partner_ref or NONE,
        GUARANTOR: application.guarantor_ref or NONE,
        BORROWER: application.borrower_ref,
        EVERYTHING: EVERYTHING,
    }


def shares(amounts: Sequence[int]) -> list[Decimal]:
    """Return each amount's share of the sum, four places; all zero when the sum is."""
    total = sum(amounts) or 1
    return [(Decimal(one) / total).quantize(Decimal("0.0001"), ROUND_HALF_EVEN) for one in amounts]


def concentration(parts: Sequence[int | Fraction]) -> Fraction:
    """Return the sum of squared shares of a whole, 0 for nothing to 1 for a single part."""
    total = sum(parts)
    return Fraction(sum(part**2 for part in parts)) / total**2 if total else Fraction(0)


def hhi(amounts: Sequence[int]) -> int:
    """
    Return the concentration: 0 for nothing, 10000 for a single part.

    Source:
        Herfindahl-Hirschman index: the sum of squared shares in percent; 30/30/20/20 is 2600.
    """
    return round(10_000 * concentration(amounts))
