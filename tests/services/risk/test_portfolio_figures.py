"""Expected loss, stability and concentration: published and by hand."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from services.risk.domain.expected_loss import expected_loss, lifetime_loss, provision_matrix
from services.risk.domain.exposure import concentration
from services.risk.domain.stability import BinsDiffer, population_stability_index


def test_expected_loss_of_twelve_months() -> None:
    """IFRS 9, Illustrative Example 8: 1,000,000 at 0.5 % and 25 % is 1,250."""
    assert expected_loss(Decimal(1_000_000), Decimal("0.005"), Decimal("0.25")) == 1_250


def test_lifetime_loss_is_the_sum_of_discounted_periods() -> None:
    """Two years of 2 % and 3 % on 100 and 50 at 40 %, 10 % a year: 0.8 / 1.1 + 0.6 / 1.21."""
    found = lifetime_loss(
        [Decimal(100), Decimal(50)],
        [Decimal("0.02"), Decimal("0.03")],
        Decimal("0.4"),
        Decimal("0.1"),
    )

    assert abs(found - (Decimal("0.8") / Decimal("1.1") + Decimal("0.6") / Decimal("1.21"))) < 1e-20


def test_a_provision_matrix_sums() -> None:
    """Each bucket at its own rate."""
    losses, total = provision_matrix([(Decimal(1_000), Decimal("0.1")), (Decimal(10), Decimal(1))])

    assert (losses, total) == ([100, 10], 110)


def test_stability() -> None:
    """The same population is 0; a shift of 10 points between halves is 0.0405; bins must match."""
    assert population_stability_index([5, 5], [50, 50]) == 0
    assert population_stability_index([50, 50], [60, 40]) == pytest.approx(0.0405, abs=5e-4)
    with pytest.raises(BinsDiffer):
        population_stability_index([1], [1, 2])


def test_concentration() -> None:
    """30, 30, 20 and 20 of a hundred are 0.26."""
    assert concentration([30, 30, 20, 20]) == Fraction(26, 100)
