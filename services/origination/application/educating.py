"""What lateness costs, told before anything is signed: worked out on the very offer."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from services.origination.application.writing import (
    EDUCATION_VERSION,
    Written,
    late_example_minor,
    write,
)
from services.origination.domain.application import Application
from services.origination.domain.products import Product
from shared.kernel.money import format_amount

DAYS_LATE = (30, 60, 90)
MISSED = 3


def education(
    application: Application, product: Product, preview: Any, disclosure_sha256: str
) -> Written:
    """
    Write what being late with this loan would cost.

    Args:
        preview: The ledger's lending.ledger.v1.Loan of the offered terms, as in the disclosure.
        disclosure_sha256: Hash of the disclosure that it belongs to.
    """
    terms, rows = preview.terms, preview.instalments
    first, due_on = _of(rows[0]), date.fromisoformat(rows[0].due_on)

    def late(days: int) -> int:
        rate = Decimal(terms.penalty_rate_annual or 0)
        return late_example_minor(rows[0].principal_due_minor, rate, product.day_count, days)

    return write(
        "education",
        application_id=application.application_id,
        version=EDUCATION_VERSION,
        disclosure_sha256=disclosure_sha256,
        terms=terms,
        rows=rows,
        first_minor=first,
        first_due_on=due_on,
        grace_days=terms.grace_days,
        grace_until_on=due_on + timedelta(days=terms.grace_days),
        examples=[
            {"days": days, "paid_on": due_on + timedelta(days=days), "more_minor": late(days)}
            for days in DAYS_LATE
            if days > terms.grace_days
        ],
        day_minor=late(1),
        missed=min(MISSED, len(rows)),
        missed_minor=sum(map(_of, rows[:MISSED])),
        income_minor=application.monthly_income_minor,
        share=_share(application, first),
        guarantees=application.guarantees,
        amount=lambda minor: format_amount(minor, terms.currency),
    )


def _of(row: Any) -> int:
    return int(row.principal_due_minor + row.interest_due_minor)


def _share(application: Application, instalment_minor: int) -> str:
    """Return how much of each 100 of income goes to debts, this loan's instalment with them."""
    income = application.monthly_income_minor
    if not income:
        return ""
    owed = instalment_minor + application.monthly_debt_payments_minor
    return f"{(Decimal(100) * owed / income).quantize(Decimal(1), ROUND_HALF_UP):f}"
