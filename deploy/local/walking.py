"""Take one application through every step to the money, as far as it comes."""

from __future__ import annotations

from typing import Any

from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import loan_pb2
from lending.origination.v1 import origination_service_pb2 as origination_pb

from deploy.sample.book import Applicant

CURRENCY = "CNY"
INCOME_OVER_INSTALMENT = {"1": 2.5, "2": 3.5, "3": 4.5, "4": 6.0}
"""The file gives the instalment as a class of disposable income; income follows from it."""

_PAID_OUT = {
    origination_pb.APPLICATION_STATUS_DISCLOSED,
    origination_pb.APPLICATION_STATUS_CONFIRMED,
    origination_pb.APPLICATION_STATUS_CONTRACTED,
    origination_pb.APPLICATION_STATUS_DISBURSING,
}


async def walk(api: Any, applicant: Applicant) -> origination_pb.Application:
    """Return the application after its last step; walked again, it goes on where it stood."""
    name = applicant.application_id
    await api.SubmitApplication(submission(applicant))
    # Without an id it answers where the application stands, however often it is walked.
    step = origination_pb.ApplicationRequest(application_id=name)
    application = await api.DecideApplication(step)
    step.request_id = f"{name}-s"
    if application.status == origination_pb.APPLICATION_STATUS_OFFERED:
        await api.ShowDisclosure(step)
        application = await api.GetApplication(
            origination_pb.GetApplicationRequest(application_id=name)
        )
    if application.status == origination_pb.APPLICATION_STATUS_DISCLOSED:
        await api.ConfirmDisclosure(
            origination_pb.ConfirmDisclosureRequest(
                request_id=f"{name}-confirm",
                application_id=name,
                disclosure_sha256=application.disclosure_sha256,
            )
        )
        step.request_id = f"{name}-accept"
        await api.AcceptContract(step)
    if application.status in _PAID_OUT:
        step.request_id = f"{name}-disburse"
        application = await api.DisburseApplication(step)
    return application


def submission(applicant: Applicant) -> origination_pb.SubmitApplicationRequest:
    """Return what origination is asked; income follows from the file's class of instalment."""
    row = applicant.row
    amount, months = int(row["credit_amount"]) * 100, int(row["duration_in_month"])
    rate = row["installment_rate_in_percentage_of_disposable_income"]
    income = int(amount / months * INCOME_OVER_INSTALMENT[rate])
    product = "consumer-2026" if applicant.number % 2 else "consumer-2026-daily"

    def money(minor: int) -> Money:
        return Money(amount_minor=minor, currency=CURRENCY)

    return origination_pb.SubmitApplicationRequest(
        request_id=f"{applicant.application_id}-submit",
        application_id=applicant.application_id,
        borrower_ref=f"B-{applicant.number:04}",
        applicant_name=f"Applicant {applicant.number}",
        identity_number=f"ID-{applicant.number}",
        product=product,
        amount=money(amount),
        instalments=months,
        method=loan_pb2.RepaymentMethod.Value(applicant.method),
        monthly_income=money(income),
        monthly_debt_payments=money(0),
        other_lenders=int(row["number_of_existing_credits_at_this_bank"]) - 1,
        age_years=int(row["age_in_years"]),
        purpose=row["purpose"],
        attributes={k: v for k, v in row.items() if k != "creditability"},
        applied_on=str(applicant.applied_on),
    )
