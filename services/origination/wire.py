"""Requests into applications, applications into messages, products into terms."""

from __future__ import annotations

from google.protobuf.json_format import MessageToJson, Parse
from lending.common.v1 import money_pb2
from lending.ledger.v1 import loan_pb2
from lending.origination.v1 import origination_service_pb2 as pb
from lending.risk.v1 import risk_service_pb2 as risk_pb

from services.origination.domain.application import Application, Guarantee, ProductUnknown
from shared.kernel.dates import add_months, parse_date
from shared.runtime.requests import FieldMissing, a_number, a_text, an_amount, an_id

Products = dict[str, dict[str, str | int]]


def application(request: pb.SubmitApplicationRequest, products: Products) -> Application:
    """Read an application; everything wrong in it is named."""
    an_id(request.request_id, "request_id")
    if request.product not in products:
        expected = "one of " + ", ".join(products)
        raise ProductUnknown(f"{request.product!r} is unknown", field="product", expected=expected)
    if request.method not in range(1, 5):
        raise FieldMissing("method is not set", field="method", expected="a repayment method")
    return Application(
        application_id=an_id(request.application_id, "application_id")[:38],
        borrower_ref=an_id(request.borrower_ref, "borrower_ref"),
        applicant_name=a_text(request.applicant_name, "applicant_name"),
        identity_number=a_text(request.identity_number, "identity_number"),
        product=request.product,
        currency=request.amount.currency,
        amount_minor=an_amount(request.amount, "amount"),
        instalments=a_number(request.instalments, "instalments", 1, 480),
        method=loan_pb2.RepaymentMethod.Name(request.method),
        monthly_income_minor=an_amount(request.monthly_income, "monthly_income", positive=False),
        monthly_debt_payments_minor=an_amount(
            request.monthly_debt_payments, "monthly_debt_payments", positive=False
        ),
        other_lenders=a_number(request.other_lenders, "other_lenders", 0, 100),
        enquiries_30d=a_number(request.enquiries_30d, "enquiries_30d", 0, 1000),
        age_years=a_number(request.age_years, "age_years", 0, 130),
        purpose=a_text(request.purpose, "purpose"),
        attributes=dict(request.attributes),
        applied_on=parse_date(request.applied_on, field="applied_on"),
    )


def terms_on_offer(given: Application, products: Products) -> loan_pb2.Terms:
    """Return the terms that the product offers for what was applied for."""
    product = products[given.product]
    return loan_pb2.Terms(
        currency=given.currency,
        principal_minor=given.amount_minor,
        rate_annual=str(product["rate_annual"]),
        method=loan_pb2.RepaymentMethod.Value(given.method),
        day_count=loan_pb2.DayCount.Value(str(product["day_count"])),
        instalments=given.instalments,
        months_per_instalment=1,
        first_due_on=add_months(given.applied_on, 1).isoformat(),
        grace_days=int(product["grace_days"]),
        penalty_rate_annual=str(product["penalty_rate_annual"]),
    )


def score_request(given: Application, monthly_minor: int) -> risk_pb.ScoreApplicationRequest:
    """Return what risk is asked; the request id makes it one decision per application."""

    def money(amount_minor: int) -> money_pb2.Money:
        return money_pb2.Money(amount_minor=amount_minor, currency=given.currency)

    return risk_pb.ScoreApplicationRequest(
        request_id=f"score-{given.application_id}",
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
        decided_on=given.applied_on.isoformat(),
    )


def guarantee(request: pb.AddGuaranteeRequest) -> Guarantee:
    """Read a guarantee."""
    if request.kind not in range(1, 4):
        raise FieldMissing("kind is not set", field="kind", expected="a kind of guarantee")
    return Guarantee(
        kind=pb.GuaranteeKind.Name(request.kind),
        provider_ref=an_id(request.provider_ref, "provider_ref"),
        amount_minor=an_amount(request.amount, "amount"),
    )


def terms_of(given: Application) -> loan_pb2.Terms:
    """Return the offered terms; empty before an offer."""
    return Parse(given.terms_json or "{}", loan_pb2.Terms())


def as_json(message: loan_pb2.Terms | risk_pb.Decision) -> str:
    """Return a contract's message as it is kept in a record."""
    return MessageToJson(message, indent=None)


def application_message(given: Application) -> pb.Application:
    """Return an application without its personal data."""
    return pb.Application(
        application_id=given.application_id,
        borrower_ref=given.borrower_ref,
        status=pb.ApplicationStatus.Value(f"APPLICATION_STATUS_{given.status}"),
        loan_id=given.loan_id,
        product=given.product,
        terms=terms_of(given) if given.terms_json else None,
        decision=Parse(given.decision_json, risk_pb.Decision()) if given.decision_json else None,
        disclosure_sha256=given.disclosure_sha256,
        contract_sha256=given.contract_sha256,
        guarantees=[
            pb.Guarantee(
                kind=pb.GuaranteeKind.Value(g.kind),
                provider_ref=g.provider_ref,
                amount_minor=g.amount_minor,
            )
            for g in given.guarantees
        ],
        applied_on=given.applied_on.isoformat(),
    )
