"""Say what the loan costs, in both languages, so that what was shown can be proven later."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.origination.domain.cost import all_in_rate_annual
from shared.kernel.money import format_amount

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
    undefined=StrictUndefined,
    autoescape=False,
)


def disclose(application_id: str, preview: Any) -> dict[str, Any]:
    """
    Render the disclosure of a loan.

    Args:
        application_id: Whose it is.
        preview: The ledger's lending.ledger.v1.Loan of the offered terms.
    Returns:
        The fields of lending.origination.v1.Disclosure.
    """
    terms, rows = preview.terms, preview.instalments
    payments = [row.principal_due_minor + row.interest_due_minor for row in rows]
    rate = all_in_rate_annual(terms.principal_minor, _monthly_flows(payments, terms.instalments))
    words = {
        "application_id": application_id,
        "terms": terms,
        "rows": rows,
        "rate": rate,
        "total_minor": sum(payments),
        "interest_minor": sum(row.interest_due_minor for row in rows),
        "amount": lambda minor: format_amount(minor, terms.currency),
    }
    zh, en = (
        _TEMPLATES.get_template(f"disclosure_{lang}.txt").render(words) for lang in ("zh", "en")
    )
    return {
        "application_id": application_id,
        "text_zh": zh,
        "text_en": en,
        "disclosure_sha256": hashlib.sha256(f"{zh}\0{en}".encode()).hexdigest(),
        "all_in_rate_annual": str(rate),
        "total_payable_minor": sum(payments),
    }


def _monthly_flows(payments: list[int], months: int) -> list[int]:
    """Return one payment per month; a bullet loan pays nothing before its end."""
    return [0] * (months - 1) + payments if len(payments) == 1 else payments
