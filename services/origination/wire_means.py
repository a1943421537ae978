"""What an application states of income, debts, consents, and who else funds the loan."""

from __future__ import annotations

from datetime import date
from typing import Any

from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.domain.application import ConfirmedIncome
from shared.kernel.dates import parse_date
from shared.kernel.errors import InvalidArgument
from shared.runtime.requests import FieldMissing, a_share, a_text, an_amount, an_id


class CurrenciesDiffer(InvalidArgument):
    """The amounts of one application are in one currency."""


def per_month(request: pb.SubmitApplicationRequest) -> tuple[int, int]:
    """Read income and debts, which are in the loan's currency."""
    for field in ("monthly_income", "monthly_debt_payments"):
        given = getattr(request, field).currency
        if given != request.amount.currency:
            raise CurrenciesDiffer(
                f"{field} is in {given}",
                field=f"{field}.currency",
                expected=request.amount.currency,
            )
    return (
        an_amount(request.monthly_income, "monthly_income", positive=False),
        an_amount(request.monthly_debt_payments, "monthly_debt_payments", positive=False),
    )


def partner(request: pb.SubmitApplicationRequest) -> dict[str, Any]:
    """Read who brought the application, and what share of the loan that partner funds."""
    share = a_share(request.partner_share or "0", "partner_share")
    if share and not request.partner_ref:
        raise FieldMissing("who funds it?", field="partner_ref", expected="a partner")
    partner_ref = an_id(request.partner_ref, "partner_ref") if request.partner_ref else ""
    return {"partner_ref": partner_ref, "partner_share": share}


def consent(request: pb.SubmitApplicationRequest) -> date | None:
    """Read since when others may be asked for the income."""
    text = request.income_consented_on
    return parse_date(text, field="income_consented_on") if text else None


def confirmed_income(request: pb.SubmitApplicationRequest) -> ConfirmedIncome | None:
    """Read a confirmed income, in the application's currency."""
    if not request.HasField("verified_income"):
        return None
    given, field = request.verified_income, "verified_income"
    if given.monthly.currency != request.amount.currency:
        expected = request.amount.currency
        raise CurrenciesDiffer("one currency", field=f"{field}.monthly", expected=expected)
    return ConfirmedIncome(
        source=a_text(given.source, f"{field}.source"),
        verified_on=parse_date(given.verified_on, field=f"{field}.verified_on"),
        monthly_minor=an_amount(given.monthly, f"{field}.monthly", positive=False),
    )
