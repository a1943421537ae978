"""Who bears what the book is expected to lose, and the capital that the rest of the risk asks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec
import numpy as np

from services.risk.domain.book import BookRow
from services.risk.domain.book_losses import Hazards
from services.risk.domain.capital import AssetClass, risk_weight
from services.risk.domain.loss_waterfall import Allocation, Cover, allocate_loss, split
from services.risk.domain.staging import MONTHS_OF_STAGE_ONE, LossRules, Stage

LENDER = "lender"
GUARANTOR, INSURANCE = "GUARANTOR", "INSURANCE"


class Security(msgspec.Struct, frozen=True, kw_only=True):
    """What a guarantor or an insurer promised for a loan: at most `amount_minor`."""

    kind: str
    provider_ref: str
    amount_minor: int


class Secured(msgspec.Struct, frozen=True, kw_only=True):
    """All promises that stand for a loan, in the order of its application."""

    loan_id: str
    securities: tuple[Security, ...] = ()


class CoverTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What promises of one kind pay: a share above a deductible, once so many days late."""

    share: Decimal = Decimal(1)
    deductible_minor: int = 0
    waiting_days: int = 0


class PartnerTerms(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a partner bears of the loans it brought.

    First of all losses, up to a share of what those loans owe; then its share of the funding.
    """

    first_loss_share: Decimal = Decimal(0)
    funding_share: Decimal = Decimal(0)


class SharingRules(msgspec.Struct, frozen=True, kw_only=True):
    """One version of who bears what; a partner without terms bears nothing."""

    version: str
    default_days: int
    capital_ratio: Decimal
    pd_min: Decimal
    covers: dict[str, CoverTerms] = {}
    partners: dict[str, PartnerTerms] = {}


class Borne(msgspec.Struct, frozen=True, kw_only=True):
    """What one party bears in one role; minor units."""

    party: str
    role: str
    amount_minor: int


class LossSharing(msgspec.Struct, frozen=True, kw_only=True):
    """Who bears the expected loss, and risk-weighted assets and capital; minor units."""

    loans: int
    exposure_minor: int
    loss_minor: int
    bearers: tuple[Borne, ...]
    risk_weighted_minor: int
    capital_minor: int


def loss_sharing(
    rows: Sequence[BookRow],
    losses: Sequence[int],
    secured: Mapping[str, Secured],
    rules: SharingRules,
) -> tuple[Borne, ...]:
    """
    Share the expected loss of each loan out: what all bear adds up to it.

    Covers of each loan pay first; what they leave of all loans of a partner is borne by its
    first-loss tranche, then by funding share. A loss is expected of loans that default: covers
    have waited by then if they wait no longer than default takes.
    """
    borne: dict[tuple[str, str], int] = defaultdict(int)
    left: dict[str, int] = defaultdict(int)
    owed: dict[str, int] = defaultdict(int)
    for row, loss in zip(rows, losses, strict=True):
        found = secured.get(row.loan_id, Secured(loan_id=row.loan_id)).securities
        days = max(rules.default_days, row.days_that_count)
        covers = [_cover(one, rules) for one in found if one.kind in rules.covers]
        shared = allocate_loss(
            loss,
            days_past_due=days,
            covers=covers,
            first_loss=None,
            partners=[(LENDER, Fraction(1))],
        )
        for place, one in enumerate(shared):
            if one.party == LENDER and place == len(shared) - 1:
                left[row.partner_ref] += one.amount_minor
            else:
                borne[one.party, "cover"] += one.amount_minor
        owed[row.partner_ref] += row.owed_minor
    for partner, amount in left.items():
        for one, role in _by_partner(partner, amount, owed[partner], rules):
            borne[one.party, role] += one.amount_minor
    all_borne = (Borne(party=p, role=r, amount_minor=a) for (p, r), a in borne.items() if a)
    return tuple(sorted(all_borne, key=lambda one: (one.role, one.party)))


def _cover(one: Security, rules: SharingRules) -> Cover:
    terms = rules.covers[one.kind]
    return Cover(
        party=f"{one.kind.lower()} {one.provider_ref}",
        share=Fraction(terms.share),
        cap_minor=one.amount_minor,
        deductible_minor=terms.deductible_minor,
        waiting_days=terms.waiting_days,
    )


def _by_partner(
    partner: str, amount: int, owed: int, rules: SharingRules
) -> list[tuple[Allocation, str]]:
    terms = rules.partners.get(partner, PartnerTerms())
    name = f"partner {partner}"
    tranche = min(amount, int(owed * terms.first_loss_share))
    shares = [(name, Fraction(terms.funding_share)), (LENDER, 1 - Fraction(terms.funding_share))]
    first = [(Allocation(name, tranche), "first loss")] if tranche else []
    return [*first, *((one, "funding share") for one in split(amount - tranche, shares))]


def risk_weighted(
    rows: Sequence[BookRow],
    stages: Sequence[Stage],
    hazards: Hazards,
    loss_rules: LossRules,
    rules: SharingRules,
) -> int:
    """
    Return the risk-weighted assets of retail loans, minor units.

    A loan in default asks none beyond its allowance: its best estimate of loss is the loss given
    default of the rules.

    Source:
        CRE31.24 (other retail), CRE32.4 (least probability of default).
    """
    alive = np.cumprod(1 - np.array(hazards.by_state), axis=1)[:, MONTHS_OF_STAGE_ONE - 1]
    lgd, least = np.float64(loss_rules.lgd).item(), np.float64(rules.pd_min).item()
    weights = {
        name: risk_weight(
            AssetClass.OTHER_RETAIL, min(max(1 - alive[place].item(), least), 1 - least), lgd
        )
        for place, name in enumerate(hazards.states)
    }
    runs = zip(rows, stages, strict=True)
    return sum(
        round(row.owed_minor * weights[row.state])
        for row, stage in runs
        if stage is not Stage.IMPAIRED
    )
