"""Who answers for others' loans, within which limits: guarantors and insurers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import msgspec

from services.origination.domain.products import GuarantorLimit
from services.origination.domain.securities import GUARANTOR, Guarantee
from shared.kernel.errors import Refused


class GuarantorNotRegistered(Refused):
    """A guarantor's net assets are to be known before it guarantees anything."""


class GuarantorOverLimit(Refused):
    """The guarantor would guarantee more in all than its net assets allow."""


class GuarantorOverDebtorLimit(Refused):
    """The guarantor would guarantee too much for one debtor."""


class GuarantorOverGroupLimit(Refused):
    """The guarantor would guarantee too much for one group of debtors."""


class GuarantorCurrencyFixed(Refused):
    """A guarantor that guarantees loans stays in their currency."""


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """What a guarantor or an insurer answers for, by application."""

    application_id: str
    borrower_ref: str
    debtor_group: str
    amount_minor: int
    kind: str = GUARANTOR


def exposure_of(given: Guarantee, application_id: str, borrower_ref: str) -> Exposure:
    """Return what who gives a security answers for under an application."""
    return Exposure(
        application_id=application_id,
        borrower_ref=borrower_ref,
        debtor_group=given.debtor_group,
        amount_minor=given.amount_minor,
        kind=given.kind,
    )


class Guarantor(msgspec.Struct, frozen=True, kw_only=True):
    """A registered guarantor or insurer and what it answers for; minor units of one currency."""

    guarantor_ref: str
    currency: str
    net_assets_minor: int
    elsewhere_minor: int
    small_borrowers: bool
    stated_on: date
    exposures: tuple[Exposure, ...] = ()

    @property
    def outstanding_minor(self) -> int:
        """All that it guarantees, here and elsewhere."""
        return self.elsewhere_minor + sum(e.amount_minor for e in self.exposures)


def engaged(guarantor: Guarantor, more: Exposure, limit: GuarantorLimit) -> Guarantor:
    """
    Add what a guarantor guarantees.

    Raises:
        GuarantorOverLimit, GuarantorOverDebtorLimit, GuarantorOverGroupLimit: with the room left.
    Source:
        The limit's own: guarantors' and insurers' differ.
    """
    assets = guarantor.net_assets_minor
    multiple = (
        limit.outstanding_multiple_small
        if guarantor.small_borrowers
        else limit.outstanding_multiple
    )
    debtor = sum(e.amount_minor for e in guarantor.exposures if e.borrower_ref == more.borrower_ref)
    group = sum(
        e.amount_minor
        for e in guarantor.exposures
        if more.debtor_group and e.debtor_group == more.debtor_group
    )
    checks: tuple[tuple[type[Refused], Decimal, int], ...] = (
        (GuarantorOverLimit, multiple, guarantor.outstanding_minor),
        (GuarantorOverDebtorLimit, limit.single_debtor_share, debtor),
        (GuarantorOverGroupLimit, limit.group_share, group),
    )
    for refusal, share, taken in checks:
        room = int(assets * share) - taken
        if more.amount_minor > room:
            raise refusal(
                f"{guarantor.guarantor_ref} may guarantee {max(0, room)} more, not"
                f" {more.amount_minor}: {share} of its net assets, {taken} taken",
                field="amount",
                expected=f"up to {max(0, room)} minor units",
                source=limit.source,
            )
    return msgspec.structs.replace(guarantor, exposures=(*guarantor.exposures, more))


def restated(known: Guarantor | None, given: Guarantor) -> Guarantor:
    """
    State a guarantor's figures anew; what it guarantees stays.

    Raises:
        GuarantorCurrencyFixed: it guarantees loans of another currency.
    """
    if known is None or not known.exposures:
        return given
    if known.currency != given.currency:
        raise GuarantorCurrencyFixed(
            f"{given.guarantor_ref} guarantees loans in {known.currency}",
            field="net_assets.currency",
            expected=known.currency,
        )
    return msgspec.structs.replace(given, exposures=known.exposures)


def disengaged(guarantor: Guarantor, application_id: str, kind: str) -> Guarantor:
    """Drop what a guarantor, or as an insurer, answers for under an application."""
    dropped = (application_id, kind)
    left = tuple(e for e in guarantor.exposures if (e.application_id, e.kind) != dropped)
    return msgspec.structs.replace(guarantor, exposures=left)
