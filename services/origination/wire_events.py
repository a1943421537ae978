"""What others hear of an application: ids, states, codes and amounts, nobody's words."""

from __future__ import annotations

from lending.origination.v1 import events_pb2
from lending.origination.v1 import origination_service_pb2 as pb
from lending.risk.v1 import risk_service_pb2 as risk_pb

from services.origination import wire
from services.origination.domain.application import Application


def changed(given: Application) -> tuple[str, events_pb2.ApplicationChanged]:
    """Return the subject and body of the published application."""
    body = events_pb2.ApplicationChanged(application=told(given))
    name, status = given.application_id, str(given.status)
    return f"lending.v1.origination.application_{status.lower()}.{name}", body


def told(given: Application) -> pb.Application:
    """Return an application as it goes out; a field that is not named here stays in the service."""
    whole = wire.application_message(given)
    return pb.Application(
        application_id=whole.application_id,
        borrower_ref=whole.borrower_ref,
        status=whole.status,
        loan_id=whole.loan_id,
        product=whole.product,
        policy_version=whole.policy_version,
        amount_minor=whole.amount_minor,
        currency=whole.currency,
        terms=whole.terms if given.terms_json else None,
        decision=_decision(whole.decision) if given.decision_json else None,
        asked_decision=_decision(whole.asked_decision) if given.asked_decision_json else None,
        offers=whole.offers,
        offer_id=whole.offer_id,
        valid_until_on=whole.valid_until_on,
        disclosure_sha256=whole.disclosure_sha256,
        education_sha256=whole.education_sha256,
        contract_sha256=whole.contract_sha256,
        signed_by=whole.signed_by,
        guarantees=[_guarantee(guarantee) for guarantee in whole.guarantees],
        applied_on=whole.applied_on,
        cooling_off_until_on=whole.cooling_off_until_on,
        refinances_loan_id=whole.refinances_loan_id,
        checks=[pb.Check(name=c.name, outcome=c.outcome, code=c.code) for c in whole.checks],
        reviews=[
            pb.Review(approves=r.approves, at=r.at, reason_codes=r.reason_codes)
            for r in whole.reviews
        ],
        payouts=[_payout(payout) for payout in whole.payouts],
        trail=[pb.TrailEntry(step=t.step, status=t.status, at=t.at) for t in whole.trail],
    )


def _decision(whole: risk_pb.Decision) -> risk_pb.Decision:
    return risk_pb.Decision(
        application_id=whole.application_id,
        decision_id=whole.decision_id,
        outcome=whole.outcome,
        score=whole.score,
        policy_version=whole.policy_version,
        model_version=whole.model_version,
        probability_of_default=whole.probability_of_default,
        reasons=[risk_pb.Reason(code=reason.code) for reason in whole.reasons],
    )


def _payout(whole: pb.Payout) -> pb.Payout:
    return pb.Payout(
        payout_id=whole.payout_id,
        amount_minor=whole.amount_minor,
        value_on=whole.value_on,
        payoff_minor=whole.payoff_minor,
        rest_minor=whole.rest_minor,
    )


def _guarantee(whole: pb.Guarantee) -> pb.Guarantee:
    return pb.Guarantee(
        kind=whole.kind,
        provider_ref=whole.provider_ref,
        amount_minor=whole.amount_minor,
        guarantee_id=whole.guarantee_id,
        fee_minor=whole.fee_minor,
        released_on=whole.released_on,
    )
