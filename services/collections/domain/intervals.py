"""How sure a share is: Wilson's interval, wider where several times are of one borrower."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
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


def share_of(figure: str, arm: str, rows: Sequence[tuple[str, bool | None]]) -> Share:
    """
    Count rows of borrower and whether it came about; None: too young to say.

    Source:
        L. Kish, Survey Sampling (1965), design effect: the variance between borrowers over that
        of as many people who have nothing to do with one another; never taken as below 1.
    """
    whole: Counter[str] = Counter()
    part: Counter[str] = Counter()
    for who, did in rows:
        if did is not None:
            whole[who] += 1
            part[who] += did
    n, k = sum(whole.values()), sum(part.values())
    effective = Decimal(len(whole))
    if 0 < k < n:
        p = Decimal(k) / n
        between = sum(((part[who] - p * whole[who]) ** 2 for who in whole), Decimal(0)) / n
        effective = n / max(Decimal(1), between / (p * (1 - p)))
    return Share(figure, arm, k, n, len(rows) - n, len(whole), effective)
