"""How sure a share is: Wilson's interval, wider where several times are of one borrower."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

Z = Decimal("1.959964")
"""Of the normal distribution, for 95 %."""

FOUR = Decimal("0.0001")


class Share(NamedTuple):
    """
    `part` of `whole`, by figure and arm.

    `young` were left out: nobody can say yet. `borrowers` is of how many people they are, and
    `effective` how many times that tell as much, if each were of another person.
    """

    figure: str
    arm: str
    part: int
    whole: int
    young: int
    borrowers: int
    effective: Decimal

    @property
    def bounds(self) -> tuple[Decimal, Decimal, Decimal] | None:
        """
        Return share, lower and upper bound at 95 %; None with nothing to count.

        Source:
            E. B. Wilson, Probable inference, JASA 22 (1927), without continuity correction.
        """
        if not self.whole:
            return None
        n, p = self.effective, Decimal(self.part) / self.whole
        middle = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
        half = Z / (1 + Z * Z / n) * (p * (1 - p) / n + Z * Z / (4 * n * n)).sqrt()
        return (
            p.quantize(FOUR),
            max(Decimal(0), middle - half).quantize(FOUR),
            min(Decimal(1), middle + half).quantize(FOUR),
        )


@dataclass(slots=True)
class Count:
    """What is kept of times counted borrower by borrower: sums, however many there are."""

    part: int = 0
    whole: int = 0
    young: int = 0
    borrowers: int = 0
    part_squares: int = 0
    products: int = 0
    whole_squares: int = 0

    def add(self, rows: Sequence[bool | None]) -> None:
        """Count all times of one borrower: whether each came about; None: too young to say."""
        told = [did for did in rows if did is not None]
        whole, part = len(told), sum(told)
        self.young += len(rows) - whole
        self.part, self.whole = self.part + part, self.whole + whole
        self.borrowers += whole > 0
        self.part_squares += part * part
        self.products += part * whole
        self.whole_squares += whole * whole

    def share(self, figure: str, arm: str) -> Share:
        """
        Return what was counted as a share.

        Source:
            L. Kish, Survey Sampling (1965), design effect: the variance between borrowers over that
            of as many people who have nothing to do with one another; never taken as below 1.
        """
        n, k = self.whole, self.part
        effective = Decimal(self.borrowers)
        if 0 < k < n:
            # The sum over borrowers of (n part - k whole)^2, over n k (n - k).
            between = n * n * self.part_squares - 2 * n * k * self.products
            between += k * k * self.whole_squares
            effective = n / max(Decimal(1), Decimal(between) / (n * k * (n - k)))
        return Share(figure, arm, k, n, self.young, self.borrowers, effective)
