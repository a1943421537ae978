"""Expected credit loss (IFRS 9), exact: what a loan or a book is expected to lose."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal


def expected_loss(exposure: Decimal, pd: Decimal, lgd: Decimal) -> Decimal:
    """
    Return the expected credit loss of one horizon.

    Args:
        exposure: Gross carrying amount or exposure at default, any unit.
        pd: Probability of default over the horizon, 0 to 1.
        lgd: Loss given default, 0 to 1.
    Source:
        IFRS 9, Illustrative Example 8.
    """
    return exposure * pd * lgd


def lifetime_loss(
    exposures: Sequence[Decimal], pds: Sequence[Decimal], lgd: Decimal, eir: Decimal
) -> Decimal:
    """
    Return the expected credit loss over a life, discounted.

    Args:
        exposures: Exposure at default of each period, any unit.
        pds: Marginal probability of default of each period, as many.
        lgd: Loss given default, 0 to 1.
        eir: Effective interest rate per period.
    Source:
        IFRS 9, 5.5.17: losses of each period at the present value of its end.
    """
    periods = enumerate(zip(exposures, pds, strict=True), start=1)
    losses = (expected_loss(ead, pd, lgd) / (1 + eir) ** k for k, (ead, pd) in periods)
    return sum(losses, Decimal(0))


def provision_matrix(buckets: Sequence[tuple[Decimal, Decimal]]) -> tuple[list[Decimal], Decimal]:
    """
    Return the loss allowance of each bucket, and their sum.

    Args:
        buckets: Gross carrying amount and lifetime loss rate of each.
    Source:
        IFRS 9, Illustrative Example 12.
    """
    losses = [amount * rate for amount, rate in buckets]
    return losses, sum(losses, Decimal(0))
