"""Securities: requests into what secures a loan, and back into messages."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from lending.origination.v1 import origination_service_pb2 as pb
from lending.origination.v1 import security_service_pb2 as security_pb

from services.origination.domain.guarantors import Guarantor
from services.origination.domain.securities import (
    Collateral,
    Guarantee,
    Insurance,
    SecurityCurrencyDiffers,
)
from shared.kernel.dates import parse_date
from shared.kernel.money import AMOUNT_MINOR_MAX, plain_decimal
from shared.runtime.requests import (
    FieldMissing,
    NumberOutOfRange,
    a_number,
    a_text,
    an_amount,
    an_id,
)

WAITING_DAYS_MAX = 365


def guarantee(request: pb.AddGuaranteeRequest) -> Guarantee:
    """Read a security; everything wrong in it is named."""
    an_id(request.request_id, "request_id")
    if request.kind not in range(1, 4):
        raise FieldMissing("kind is not set", field="kind", expected="a kind of guarantee")
    kind, provider = (
        pb.GuaranteeKind.Name(request.kind),
        an_id(request.provider_ref, "provider_ref"),
    )
    fee = 0
    if request.HasField("fee"):
        fee = an_amount(request.fee, "fee", positive=False)
        if request.fee.currency != request.amount.currency:
            raise SecurityCurrencyDiffers(
                "fee and amount are of two currencies",
                field="fee.currency",
                expected=request.amount.currency,
            )
    given_id = request.guarantee_id or request.provider_ref
    return Guarantee(
        guarantee_id=an_id(given_id, "guarantee_id"),
        kind=kind,
        provider_ref=provider,
        amount_minor=an_amount(request.amount, "amount"),
        fee_minor=fee,
        debtor_group=an_id(request.debtor_group, "debtor_group") if request.debtor_group else "",
        insurance=_insurance(request, kind),
        collateral=_collateral(request, kind),
    )


def _insurance(request: pb.AddGuaranteeRequest, kind: str) -> Insurance | None:
    if kind != "GUARANTEE_KIND_INSURANCE":
        return None
    if not request.HasField("insurance"):
        raise FieldMissing("the policy is missing", field="insurance", expected="the policy")
    given = request.insurance
    share = plain_decimal(given.cover_share, field="insurance.cover_share")
    if not Decimal(0) < share <= Decimal(1):
        raise NumberOutOfRange(
            f"cover_share is {share}", field="insurance.cover_share", expected="above 0, up to 1"
        )
    return Insurance(
        policy_number=a_text(given.policy_number, "insurance.policy_number"),
        valid_from=parse_date(given.valid_from, field="insurance.valid_from"),
        valid_until=parse_date(given.valid_until, field="insurance.valid_until"),
        cover_share=share,
        deductible_minor=a_number(
            given.deductible_minor, "insurance.deductible_minor", 0, AMOUNT_MINOR_MAX
        ),
        waiting_days=a_number(given.waiting_days, "insurance.waiting_days", 0, WAITING_DAYS_MAX),
    )


def _collateral(request: pb.AddGuaranteeRequest, kind: str) -> Collateral | None:
    if kind != "GUARANTEE_KIND_COLLATERAL":
        return None
    if not request.HasField("collateral"):
        raise FieldMissing("the thing is missing", field="collateral", expected="the thing")
    given = request.collateral
    registered = given.registered_on
    return Collateral(
        description=a_text(given.description, "collateral.description"),
        value_minor=a_number(given.value_minor, "collateral.value_minor", 1, AMOUNT_MINOR_MAX),
        valued_on=parse_date(given.valued_on, field="collateral.valued_on"),
        prior_liens_minor=a_number(
            given.prior_liens_minor, "collateral.prior_liens_minor", 0, AMOUNT_MINOR_MAX
        ),
        registration_number=given.registration_number[:200],
        registered_on=parse_date(registered, field="collateral.registered_on")
        if registered
        else None,
    )


def guarantor(request: security_pb.RegisterGuarantorRequest) -> Guarantor:
    """Read a guarantor's figures."""
    an_id(request.request_id, "request_id")
    return Guarantor(
        guarantor_ref=an_id(request.guarantor_ref, "guarantor_ref"),
        currency=request.net_assets.currency,
        net_assets_minor=an_amount(request.net_assets, "net_assets"),
        elsewhere_minor=a_number(
            request.elsewhere_minor, "elsewhere_minor", 0, 100 * AMOUNT_MINOR_MAX
        ),
        small_borrowers=request.small_borrowers,
        stated_on=parse_date(request.stated_on, field="stated_on"),
    )


def lien(request: security_pb.RegisterLienRequest) -> tuple[str, date]:
    """Read the registration of a lien: its number and date."""
    number = a_text(request.registration_number, "registration_number")
    return number, parse_date(request.registered_on, field="registered_on")


def guarantor_message(given: Guarantor) -> security_pb.Guarantor:
    """Return a guarantor as a message."""
    return security_pb.Guarantor(
        guarantor_ref=given.guarantor_ref,
        currency=given.currency,
        net_assets_minor=given.net_assets_minor,
        outstanding_minor=given.outstanding_minor,
        application_ids=[e.application_id for e in given.exposures],
        stated_on=given.stated_on.isoformat(),
    )


def guarantee_message(given: Guarantee) -> pb.Guarantee:
    """Return a security as a message."""
    policy, thing = given.insurance, given.collateral
    return pb.Guarantee(
        kind=pb.GuaranteeKind.Value(given.kind),
        provider_ref=given.provider_ref,
        amount_minor=given.amount_minor,
        guarantee_id=given.guarantee_id,
        fee_minor=given.fee_minor,
        insurance=policy and _insurance_message(policy),
        collateral=thing and _collateral_message(thing),
        consented_sha256=given.consented_sha256,
        consents_to_changes=given.consents_to_changes,
        released_on=given.released_on.isoformat() if given.released_on else "",
    )


def _insurance_message(policy: Insurance) -> pb.Insurance:
    return pb.Insurance(
        policy_number=policy.policy_number,
        valid_from=policy.valid_from.isoformat(),
        valid_until=policy.valid_until.isoformat(),
        cover_share=str(policy.cover_share),
        deductible_minor=policy.deductible_minor,
        waiting_days=policy.waiting_days,
    )


def _collateral_message(thing: Collateral) -> pb.Collateral:
    return pb.Collateral(
        description=thing.description,
        value_minor=thing.value_minor,
        valued_on=thing.valued_on.isoformat(),
        prior_liens_minor=thing.prior_liens_minor,
        registration_number=thing.registration_number,
        registered_on=thing.registered_on.isoformat() if thing.registered_on else "",
    )
