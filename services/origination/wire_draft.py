"""Unfinished forms: kept as they are, read when they are submitted."""

from __future__ import annotations

from datetime import date

from google.protobuf.json_format import MessageToJson, Parse
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination import wire
from services.origination.domain.application import Application
from services.origination.domain.products import Policies
from services.origination.domain.state_machine import Status
from shared.kernel.dates import parse_date
from shared.kernel.money import minor_digits
from shared.runtime.requests import an_id


def form(request: pb.SubmitApplicationRequest) -> pb.SubmitApplicationRequest:
    """Read what a draft must have: its ids; references and currency are well-formed or empty."""
    an_id(request.request_id, "request_id")
    wire.an_application_id(request.application_id)
    if request.borrower_ref:
        an_id(request.borrower_ref, "borrower_ref")
    for place, person in enumerate(request.co_borrowers):
        if person.borrower_ref:
            an_id(person.borrower_ref, f"co_borrowers[{place}].borrower_ref")
    if request.amount.currency:
        minor_digits(request.amount.currency)
    kept = pb.SubmitApplicationRequest()
    kept.CopyFrom(request)
    kept.ClearField("request_id")
    kept.ClearField("validate_only")
    return kept


def draft(
    given: pb.SubmitApplicationRequest, policies: Policies, business_on: date | None
) -> Application:
    """Return a draft; what is not filled in yet is empty."""
    dated = given.applied_on or (business_on.isoformat() if business_on else "")
    applied_on = parse_date(dated, field="applied_on")
    return Application(
        application_id=given.application_id,
        borrower_ref=given.borrower_ref,
        applicant_name="",
        identity_number="",
        product=given.product,
        policy_version=policies.product_on(given.product, applied_on).version,
        currency=given.amount.currency,
        amount_minor=given.amount.amount_minor,
        instalments=given.instalments,
        method="",
        monthly_income_minor=0,
        monthly_debt_payments_minor=0,
        other_lenders=0,
        enquiries_30d=0,
        age_years=0,
        purpose="",
        attributes={},
        applied_on=applied_on,
        status=Status.DRAFT,
        draft_json=MessageToJson(given, indent=None),
    )


def whole(
    draft_json: str,
    request: pb.SubmitApplicationRequest,
    policies: Policies,
    business_on: date | None,
) -> Application:
    """Read an application; what is empty is the draft's, lists are not added to lists."""
    merged = Parse(draft_json or "{}", pb.SubmitApplicationRequest(), ignore_unknown_fields=True)
    if request.co_borrowers:
        merged.ClearField("co_borrowers")
    merged.MergeFrom(request)
    if draft_json and not merged.applied_on and business_on:
        merged.applied_on = business_on.isoformat()
    return wire.application(merged, policies)
