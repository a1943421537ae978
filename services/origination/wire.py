"""Requests into applications, applications into messages."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from lending.ledger.v1 import loan_pb2
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination import wire_means, wire_security
from services.origination.application.parking import Parked
from services.origination.application.terms import decision_from, terms_from, terms_of
from services.origination.domain.application import (
    Application,
    Check,
    CoBorrower,
    Offer,
    Review,
)
from services.origination.domain.payouts import Payout
from services.origination.domain.products import Policies, check_fit
from services.origination.domain.proposals import Proposal
from services.origination.domain.review import reasons
from services.origination.domain.state_machine import Status, Step
from shared.kernel.dates import parse_date
from shared.runtime.requests import (
    FieldMissing,
    IdNotValid,
    a_loan,
    a_number,
    a_text,
    an_amount,
    an_id,
    an_identity,
)

CO_BORROWERS_MAX, APPLICATION_ID_MAX = 5, 38
_KEY = re.compile(r"[0-9a-f]{64}")


def application(request: pb.SubmitApplicationRequest, policies: Policies) -> Application:
    """Read an application; everything wrong in it is named."""
    an_id(request.request_id, "request_id")
    applied_on = parse_date(request.applied_on, field="applied_on")
    product = policies.product_on(request.product, applied_on)
    if request.method not in range(1, 5):
        raise FieldMissing("method is not set", field="method", expected="a repayment method")
    amount = an_amount(request.amount, "amount")
    income_minor, debts_minor = wire_means.per_month(request)
    instalments = a_number(request.instalments, "instalments", 1, 480)
    check_fit(product, request.amount.currency, amount, instalments)
    return Application(
        application_id=an_application_id(request.application_id),
        borrower_ref=an_id(request.borrower_ref, "borrower_ref"),
        applicant_name=a_text(request.applicant_name, "applicant_name"),
        identity_number=a_text(request.identity_number, "identity_number"),
        product=request.product,
        policy_version=product.version,
        currency=request.amount.currency,
        amount_minor=amount,
        instalments=instalments,
        method=loan_pb2.RepaymentMethod.Name(request.method),
        monthly_income_minor=income_minor,
        monthly_debt_payments_minor=debts_minor,
        other_lenders=a_number(request.other_lenders, "other_lenders", 0, 100),
        enquiries_30d=a_number(request.enquiries_30d, "enquiries_30d", 0, 1000),
        age_years=a_number(request.age_years, "age_years", 0, 130),
        purpose=a_text(request.purpose, "purpose"),
        attributes=dict(request.attributes),
        applied_on=applied_on,
        account_ref=an_id(request.account_ref, "account_ref") if request.account_ref else "",
        co_borrowers=_co_borrowers(request),
        region=a_text(request.region, "region") if request.region else "",
        **wire_means.partner(request),
        income=wire_means.confirmed_income(request),
        income_consented_on=wire_means.consent(request),
        public_key=a_key(request.public_key, "public_key"),
        refinances=a_loan(request.refinances_loan_id) if request.refinances_loan_id else "",
    )


def an_application_id(text: str) -> str:
    """Return an id that leaves room for those made from it; a longer one is refused, not cut."""
    if len(an_id(text, "application_id")) > APPLICATION_ID_MAX:
        raise IdNotValid(
            f"{text!r} is too long",
            field="application_id",
            expected=f"3 to {APPLICATION_ID_MAX} of A-Z a-z 0-9 . _ : -",
        )
    return text


def a_key(text: str, field: str) -> str:
    """Return an Ed25519 public key as lower-case hexadecimal; empty where none is given."""
    if text and not _KEY.fullmatch(text.lower()):
        raise FieldMissing(f"{field} is no key", field=field, expected="64 hexadecimal digits")
    return text.lower()


def _co_borrowers(request: pb.SubmitApplicationRequest) -> tuple[CoBorrower, ...]:
    a_number(len(request.co_borrowers), "co_borrowers", 0, CO_BORROWERS_MAX)
    return tuple(
        CoBorrower(
            borrower_ref=an_id(person.borrower_ref, f"co_borrowers[{place}].borrower_ref"),
            name=a_text(person.name, f"co_borrowers[{place}].name"),
            identity_number=a_text(
                person.identity_number, f"co_borrowers[{place}].identity_number"
            ),
            public_key=a_key(person.public_key, f"co_borrowers[{place}].public_key"),
        )
        for place, person in enumerate(request.co_borrowers)
    )


def review(request: pb.ReviewApplicationRequest, at: datetime) -> Review:
    """Read a reviewer's word."""
    return Review(
        reviewer_ref=an_identity(request.reviewer_ref, "reviewer_ref"),
        approves=request.approves,
        reason=a_text(request.reason, "reason"),
        at=at,
        reason_codes=reasons(request.reason_codes),
    )


def status(name: str) -> int:
    """Return the enum's number of a status."""
    return pb.ApplicationStatus.Value(f"APPLICATION_STATUS_{name}")


def application_message(given: Application) -> pb.Application:
    """Return an application without its personal data."""
    return pb.Application(
        application_id=given.application_id,
        borrower_ref=given.borrower_ref,
        status=status(given.status),
        loan_id=given.loan_id,
        product=given.product,
        policy_version=given.policy_version,
        amount_minor=given.amount_minor,
        currency=given.currency,
        terms=terms_of(given) if given.terms_json else None,
        decision=decision_from(given.decision_json) if given.decision_json else None,
        asked_decision=decision_from(given.asked_decision_json)
        if given.asked_decision_json
        else None,
        offers=[_offer(offer) for offer in given.offers],
        offer_id=given.offer_id,
        valid_until_on=_day(given.valid_until_on),
        disclosure_sha256=given.disclosure_sha256,
        education_sha256=given.education_sha256,
        contract_sha256=given.contract_sha256,
        signed_by=[signature.party_ref for signature in given.signatures],
        guarantees=[wire_security.guarantee_message(g) for g in given.guarantees],
        applied_on=given.applied_on.isoformat(),
        cooling_off_until_on=_day(given.cooling_off_until_on),
        refinances_loan_id=given.refinances,
        pending=_pending(given.proposal) if given.proposal else None,
        hangs_at=given.hangs_at,
        **_history(given),
    )


def parked_message(given: Parked) -> pb.ParkedApplication:
    """Return an application that cannot be read."""
    return pb.ParkedApplication(
        application_id=given.application_id,
        status=status(given.status) if given.status in {*map(str, Status)} else 0,
        reason=given.reason,
        parked_at=given.at.isoformat(),
    )


def _pending(given: Proposal) -> pb.Pending:
    """Return what waits for a second person; of an account only its end."""
    said = f"…{given.value[-4:]}" if given.what == Step.REDIRECT else given.value
    return pb.Pending(what=given.what, said=said, by=given.by, at=given.at.isoformat())


def _history(given: Application) -> dict[str, list[Any]]:
    return {
        "checks": [_check(check) for check in given.checks],
        "reviews": [_review(review) for review in given.reviews],
        "payouts": [_payout(payout) for payout in given.payouts],
        "trail": [
            pb.TrailEntry(
                step=line.step,
                status=status(line.status),
                at=line.at.isoformat(),
                by=line.by,
                note=line.note,
            )
            for line in given.trail
        ],
    }


def _check(given: Check) -> pb.Check:
    return pb.Check(
        name=given.name,
        outcome=given.outcome,
        code=given.code,
        text_en=given.text_en,
        text_zh=given.text_zh,
    )


def _review(given: Review) -> pb.Review:
    return pb.Review(
        reviewer_ref=given.reviewer_ref,
        approves=given.approves,
        reason=given.reason,
        at=given.at.isoformat(),
        reason_codes=given.reason_codes,
    )


def _payout(given: Payout) -> pb.Payout:
    return pb.Payout(
        payout_id=given.payout_id,
        amount_minor=given.amount_minor,
        value_on=given.value_on.isoformat(),
        reference=given.reference,
        returned=given.returned,
        payoff_minor=given.payoff_minor,
        rest_minor=given.rest_minor,
        rest_returned=given.rest_returned,
        rest_refused=given.rest_refused,
        stopped=given.stopped,
        payoff_refused=given.payoff_refused,
        payoff_by_hand=given.payoff_by_hand,
        rest_by_hand=given.rest_by_hand,
        disbursal_refused=given.disbursal_refused,
        disbursal_by_hand=given.disbursal_by_hand,
    )


def _offer(given: Offer) -> pb.Offer:
    return pb.Offer(
        offer_id=given.offer_id,
        grade=given.grade,
        terms=terms_from(given.terms_json),
        total_payable_minor=given.total_payable_minor,
        all_in_rate_annual=given.all_in_rate_annual,
        counter_offer=given.counter,
    )


def _day(given: date | None) -> str:
    return given.isoformat() if given else ""
