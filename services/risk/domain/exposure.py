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


def hhi(products: Sequence[ProductExposure]) -> int:
    """
    Return the concentration: 0 for nothing approved, 10000 for a single product.

    Source:
        Herfindahl-Hirschman index: the sum of squared shares in percent; 30/30/20/20 is 2600.
    """
    total = sum(one.amount_minor for one in products)
    if not total:
        return 0
    squares = sum(one.amount_minor**2 for one in products)
    return round(Fraction(10_000 * squares, total**2))
