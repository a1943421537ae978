"""Exposure: how much was approved per product, and how concentrated that is."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import msgspec


class ProductExposure(msgspec.Struct, frozen=True, kw_only=True):
    """Approved decisions of one product in one currency; the sum in minor units."""

    currency: str
    product: str
    approved: int = 0
    amount_minor: int = 0


def shares(products: Sequence[ProductExposure]) -> list[Decimal]:
    """Return each product's share of the sum, four places; all zero when nothing is approved."""
    total = sum(one.amount_minor for one in products) or 1
    return [
        (Decimal(one.amount_minor) / total).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)
        for one in products
    ]


def concentration(parts: Sequence[int | Fraction]) -> Fraction:
    """Return the sum of squared shares of a whole, 0 for nothing to 1 for a single part."""
    total = sum(parts)
    return Fraction(sum(part**2 for part in parts)) / total**2 if total else Fraction(0)


def hhi(products: Sequence[ProductExposure]) -> int:
    """
    Return the concentration: 0 for nothing approved, 10000 for a single product.

    Source:
        Herfindahl-Hirschman index: the sum of squared shares in percent; 30/30/20/20 is 2600.
    """
    return round(10_000 * concentration([one.amount_minor for one in products]))
