"""What risk is asked about an application, and the income that goes with it."""

from __future__ import annotations

import hashlib
from datetime import date

from lending.common.v1 import money_pb2
from lending.origination.v1 import origination_service_pb2 as pb
from lending.risk.v1 import risk_service_pb2 as risk_pb

from services.origination import wire_security
from services.origination.domain.application import Application, ConfirmedIncome
from shared.kernel.dates import parse_date
from shared.kernel.errors import InvalidArgument
from shared.runtime.requests import a_text, an_amount


class CurrenciesDiffer(InvalidArgument):
    """The amounts of one application are in one currency."""


def score_request(
    given: Application, monthly_minor: int, on: date
) -> risk_pb.ScoreApplicationRequest:
    """
    Return what risk is asked on a date.

    The request's id follows from its contents: asked again the same, it is the same decision; an
    answer that was lost yesterday stands in nobody's way today.
    """

    def money(amount_minor: int) -> money_pb2.Money:
        return money_pb2.Money(amount_minor=amount_minor, currency=given.currency)

    asked = risk_pb.ScoreApplicationRequest(
        application_id=given.application_id,
        borrower_ref=given.borrower_ref,
        product=given.product,
        amount=money(given.amount_minor),
        instalments=given.instalments,
        monthly_income=money(given.monthly_income_minor),
        monthly_debt_payments=money(given.monthly_debt_payments_minor),
        monthly_instalment=money(max(1, monthly_minor)),
        other_lenders=given.other_lenders,
        enquiries_30d=given.enquiries_30d,
        age_years=given.age_years,
        attributes=given.attributes,
        guarantor_ref=next(
            (g.provider_ref for g in given.guarantees if g.kind == wire_security.GUARANTOR), ""
        ),
        decided_on=on.isoformat(),
        purpose=given.purpose,
        region=given.region,
        partner_ref=given.partner_ref,
        verified_income=_verified(given),
    )
    contents = hashlib.sha256(asked.SerializeToString(deterministic=True)).hexdigest()
    asked.request_id = f"score-{given.application_id}-{contents[:12]}"
    return asked


def _verified(given: Application) -> risk_pb.VerifiedIncome | None:
    if given.income is None:
        return None
    return risk_pb.VerifiedIncome(
        source=given.income.source,
        verified_on=given.income.verified_on.isoformat(),
        monthly=money_pb2.Money(amount_minor=given.income.monthly_minor, currency=given.currency),
    )


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
