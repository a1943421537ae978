"""How loans of one month of origination turn out, by months on book; never more than is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from fractions import Fraction

import msgspec


class LoanLife(msgspec.Struct, frozen=True, kw_only=True):
    """One loan: when it was paid out, and when it first was as late as asked; None for never."""

    disbursed_on: date
    bad_on: date | None
    balance_minor: int = 0


class Vintage(msgspec.Struct, frozen=True, kw_only=True):
    """
    Loans of one month.

    `ever_bad` has the share of all loans of the month, by count, at 1, 2, 3 … months on book;
    None where not every loan of the month has been on book that long.
    """

    month: str
    loans: int
    ever_bad: tuple[Fraction | None, ...]


def vintages(loans: Iterable[LoanLife], as_of: date, months: int) -> list[Vintage]:
    """
    Return a row per month of origination, oldest first.

    Args:
        loans: Every loan ever paid out, settled ones included: the denominator never shrinks.
        as_of: What is known up to this date counts.
        months: How many months on book to show.
    """
    grouped: dict[str, list[LoanLife]] = defaultdict(list)
    for loan in loans:
        if loan.disbursed_on <= as_of:
            grouped[f"{loan.disbursed_on:%Y-%m}"].append(loan)
    return [_vintage(month, rows, as_of, months) for month, rows in sorted(grouped.items())]


def _vintage(month: str, loans: list[LoanLife], as_of: date, months: int) -> Vintage:
    seen = min(months_between(loan.disbursed_on, as_of) for loan in loans)
    turned = [
        months_between(loan.disbursed_on, loan.bad_on)
        for loan in loans
        if loan.bad_on is not None and loan.bad_on <= as_of
    ]
    cells = [
        Fraction(sum(at < mob for at in turned), len(loans)) if mob <= seen else None
        for mob in range(1, months + 1)
    ]
    return Vintage(month=month, loans=len(loans), ever_bad=tuple(cells))


def months_between(start: date, end: date) -> int:
    """Return whole months from one date to another; the last one counts from its day on."""
    months = (end.year - start.year) * 12 + end.month - start.month
    return months - (end.day < start.day)
