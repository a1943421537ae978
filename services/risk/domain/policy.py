"""The policy: every bound of a decision, in versions that count from a date."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from services.risk.domain import encoding
from shared.kernel.errors import NotFound, Refused


class NoPolicyInForce(Refused):
    """No version of the policy counts on the date of the decision."""


class PolicyNotFound(NotFound):
    """No policy has this version."""


class VersionTwice(Refused):
    """Two policies or models have one version: which of them decided could not be told."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """How much of what is approved may fall to one value of a dimension, once the sum is large."""

    dimension: str
    share_max: Decimal
    total_minor_min: int


class JointLending(msgspec.Struct, frozen=True, kw_only=True):
    """
    Bounds of loans that a partner funds too; amounts are of whole loans, minor units.

    A partner funds at least a share of each; with one partner they are at most a share of tier-1
    capital, and all of them at most a share of what is lent, once that is large.
    """

    partner_share_min: Decimal
    tier_one_minor: int
    partner_of_tier_one_max: Decimal
    jointly_of_lent_max: Decimal
    lent_minor_min: int


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """
    One version of the rules.

    Ratios are fractions, amounts minor units of the application's own currency, probabilities of
    default over the loan. A bound of None belongs to no rule of this version.
    """

    version: str
    effective_from: date
    champion: str
    challenger: str = ""
    challenger_share: Decimal = Decimal(0)
    products: tuple[str, ...] = ()
    age_years_min: int
    age_years_max: int
    amount_minor_min: int
    amount_minor_max: int
    purposes_excluded: tuple[str, ...]
    debt_service_ratio_max: Decimal
    living_costs_minor: int | None = None
    stress_rate_rise: Decimal = Decimal(0)
    stress_income_fall: Decimal = Decimal(0)
    stressed_debt_service_ratio_max: Decimal | None = None
    income_contradiction_max: Decimal | None = None
    income_days_max: int | None = None
    other_lenders_max: int
    enquiries_7d_max: int | None = None
    enquiries_30d_max: int
    enquiries_90d_max: int | None = None
    income_required_from_minor: int | None = None
    bureau_required_from_minor: int | None = None
    bureau_days_max: int | None = None
    overdue_elsewhere_minor_max: int | None = None
    borrower_approved_minor_max: int | None = None
    group_approved_minor_max: int | None = None
    attributes_missing_max: int | None = None
    limits: tuple[Limit, ...] = ()
    instalment_held_against_amount: bool = False
    joint_lending: JointLending | None = None
    probability_of_default_declined_from: Decimal
    probability_of_default_referred_from: Decimal


LATER: dict[str, Any] = {"instalment_held_against_amount": False, "joint_lending": None}
"""Rules that earlier versions did not have; while they do not hold they are in no digest."""


def encoded(policy: Policy) -> bytes:
    """Return a policy as JSON: a version is the same bytes for ever, whatever rules came later."""
    return encoding.encoded(policy, LATER)


class Versioned(Protocol):
    """What counts from a date."""

    @property
    def version(self) -> str:
        """Return its name, for ever."""

    @property
    def effective_from(self) -> date:
        """Return the first date on which it counts."""


Rules = TypeVar("Rules", bound=Versioned)


class Policies(Generic[Rules]):
    """All versions of one kind of policy."""

    def __init__(self, policies: Iterable[Rules]) -> None:
        self.versions: dict[str, Rules] = {}
        for policy in policies:
            if policy.version in self.versions:
                raise VersionTwice(f"two policies are {policy.version}", field="version")
            self.versions[policy.version] = policy

    def in_force(self, on: date) -> Rules:
        """Return the newest version that counts on a date, or raise NoPolicyInForce."""
        found = [one for one in self.versions.values() if one.effective_from <= on]
        if not found:
            first = min((one.effective_from for one in self.versions.values()), default=None)
            expected = f"{first} or later" if first else "a policy"
            raise NoPolicyInForce(
                f"no policy counts on {on}", field="decided_on", expected=expected, date=on
            )
        return max(found, key=lambda one: one.effective_from)

    def newest(self) -> Rules | None:
        """Return the version that counts from the latest date; None when there is none."""
        return max(self.versions.values(), key=lambda one: one.effective_from, default=None)

    def version(self, version: str) -> Rules:
        """Return a version by name, or raise PolicyNotFound."""
        if version not in self.versions:
            raise PolicyNotFound(f"no policy {version}", field="policy_version")
        return self.versions[version]
