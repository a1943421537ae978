"""Products and rules as dated rows: what is offered, to whom, under which limits, since when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, TypeVar

import msgspec

from shared.kernel.errors import InvalidArgument, Refused

WHOLE = 100
"""Amounts that we offer are whole units of the currency, in minor units."""


class ProductUnknown(InvalidArgument):
    """No product has this code."""


class ProductNotYetOffered(InvalidArgument):
    """No row of the product is in force on the date."""


class AmountOutOfRange(InvalidArgument):
    """The product does not lend this much, or this little."""


class InstalmentsOutOfRange(InvalidArgument):
    """The product does not lend for so many instalments, or so few."""


class CurrencyNotLent(InvalidArgument):
    """The product is lent in another currency."""


class GradeNotPriced(Refused):
    """The product has no rate for so probable a default."""


class Grade(msgspec.Struct, frozen=True, kw_only=True):
    """A rate for all whose probability of default is below an edge."""

    name: str
    probability_of_default_below: Decimal
    rate_annual: Decimal


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """
    One dated row of a product; amounts in minor units of the application's currency.

    `currency`: the only one that it is lent in; empty where the application chooses.
    """

    code: str
    effective_from: date
    currency: str = ""
    rate_annual: Decimal
    day_count: str
    grace_days: int
    penalty_rate_annual: Decimal
    grades: tuple[Grade, ...] = ()
    amount_minor_min: int = 1
    amount_minor_max: int = 10**13
    instalments_min: int = 1
    instalments_max: int = 480
    instalments_offered: tuple[int, ...] = ()
    tranches_max: int = 1
    drawing_days: int = 180
    counter_shares: tuple[Decimal, ...] = ()
    cost_ceiling: str = ""
    apr_method: Literal["", "us", "eu"] = ""
    checks: tuple[str, ...] = ()
    offer_days: int = 30
    reading_seconds_min: int = 10
    cooling_off_days: int = 0
    cooling_off_interest_owed: bool = True
    cover_min: Decimal = Decimal(0)
    loan_to_value_max: Decimal = Decimal(1)
    valuation_days_max: int = 365

    @property
    def version(self) -> str:
        """Names the row, such as consumer-2026@2025-10-01."""
        return f"{self.code}@{self.effective_from}"

    def rate_for(self, probability_of_default: Decimal) -> tuple[str, Decimal]:
        """
        Return grade and nominal annual rate for a probability of default.

        Raises:
            GradeNotPriced: it is at or above the last grade's edge.
        """
        if not self.grades:
            return "", self.rate_annual
        for grade in self.grades:
            if probability_of_default < grade.probability_of_default_below:
                return grade.name, grade.rate_annual
        raise GradeNotPriced(
            f"{self.version} has no rate for a probability of default of {probability_of_default}",
            field="product",
            expected=f"below {self.grades[-1].probability_of_default_below}",
        )


class Authority(msgspec.Struct, frozen=True, kw_only=True):
    """Up to which amount a reviewer may approve, since when; minor units of one currency."""

    reviewer_ref: str
    effective_from: date
    amount_minor_max: int
    currency: str = "CNY"


class ReviewRule(msgspec.Struct, frozen=True, kw_only=True):
    """How many people must agree before a referred application is approved."""

    effective_from: date
    approvals_min: int


class GuarantorLimit(msgspec.Struct, frozen=True, kw_only=True):
    """How much a guarantor or insurer may answer for, as multiples and shares of its net assets."""

    effective_from: date
    outstanding_multiple: Decimal
    outstanding_multiple_small: Decimal
    single_debtor_share: Decimal
    group_share: Decimal
    source: str


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """Every row that origination decides by."""

    product: tuple[Product, ...]
    authority: tuple[Authority, ...] = ()
    review: tuple[ReviewRule, ...] = ()
    guarantor_limit: tuple[GuarantorLimit, ...] = ()
    insurer_limit: tuple[GuarantorLimit, ...] = ()

    def product_on(self, code: str, on: date) -> Product:
        """
        Return the row of a product that is in force on a date.

        Raises:
            ProductUnknown: no row has the code.
            ProductNotYetOffered: all its rows come into force later.
        """
        rows = [row for row in self.product if row.code == code]
        if not rows:
            raise ProductUnknown(
                f"{code[:40]!r} is unknown",
                field="product",
                expected="one of " + ", ".join(sorted({row.code for row in self.product})),
            )
        started = [row for row in rows if row.effective_from <= on]
        if not started:
            raise ProductNotYetOffered(
                f"{code} is not offered on {on}",
                field="applied_on",
                expected=f"{min(row.effective_from for row in rows)} or later",
            )
        return max(started, key=lambda row: row.effective_from)

    def product_under(self, code: str, applied_on: date, law_on: date) -> Product:
        """
        Return a product's row of one date under the law of another.

        Args:
            applied_on: Whose row sets rates, limits and checks.
            law_on: Date of the contract, whose row sets ceiling and cooling-off days.
        """
        law = self.product_on(code, law_on)
        return msgspec.structs.replace(
            self.product_on(code, applied_on),
            cost_ceiling=law.cost_ceiling,
            cooling_off_days=law.cooling_off_days,
            cooling_off_interest_owed=law.cooling_off_interest_owed,
        )

    def authority_on(self, reviewer_ref: str, currency: str, on: date) -> int:
        """Return up to which amount a reviewer may approve on a date; 0 for a stranger."""
        rows = [
            row
            for row in self.authority
            if (row.reviewer_ref, row.currency) == (reviewer_ref, currency)
        ]
        row = latest(rows, on)
        return row.amount_minor_max if row else 0

    def approvals_on(self, on: date) -> int:
        """Return how many approvals a referred application needs; two where no row says."""
        row = latest(self.review, on)
        return row.approvals_min if row else 2


R = TypeVar("R", Authority, ReviewRule, GuarantorLimit)


def latest(rows: Iterable[R], on: date) -> R | None:
    """Return the row in force on a date; None before the first."""
    started = [row for row in rows if row.effective_from <= on]
    return max(started, key=lambda row: row.effective_from) if started else None


def check_fit(product: Product, currency: str, amount_minor: int, instalments: int) -> None:
    """
    Let an application in only if the product lends that much for that long.

    Raises:
        CurrencyNotLent: with the one that is.
        AmountOutOfRange, InstalmentsOutOfRange: with the range.
    """
    if product.currency not in ("", currency):
        raise CurrencyNotLent(
            f"{product.version} is lent in {product.currency}",
            field="amount.currency",
            expected=product.currency,
        )
    if not product.amount_minor_min <= amount_minor <= product.amount_minor_max:
        raise AmountOutOfRange(
            f"{product.version} does not lend {amount_minor}",
            field="amount",
            expected=f"{product.amount_minor_min} to {product.amount_minor_max} minor units",
        )
    if not product.instalments_min <= instalments <= product.instalments_max:
        raise InstalmentsOutOfRange(
            f"{product.version} does not lend for {instalments} instalments",
            field="instalments",
            expected=f"{product.instalments_min} to {product.instalments_max}",
        )


def terms_to_offer(product: Product, instalments: int) -> Sequence[int]:
    """Return the numbers of instalments to offer: first what was asked for, then the others."""
    return (instalments, *(n for n in product.instalments_offered if n != instalments))


def counters(product: Product, amount_minor: int, instalments: int) -> Sequence[tuple[int, int]]:
    """
    Return what may be offered where what was asked for is declined, nearest to it first.

    Returns:
        Amounts and instalments: the amount over longer terms, then its shares over the same term,
        then over the longest; nothing where the product states no shares.
    """
    if not product.counter_shares:
        return ()
    longer = sorted(n for n in product.instalments_offered if n > instalments)
    smaller = [
        less - less % WHOLE
        for less in (int(amount_minor * share) for share in product.counter_shares)
        if less - less % WHOLE >= product.amount_minor_min
    ]
    return (
        *((amount_minor, n) for n in longer),
        *((less, instalments) for less in smaller),
        *((less, longer[-1]) for less in smaller if longer),
    )
