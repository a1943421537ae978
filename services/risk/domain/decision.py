"""A decision joins rules and score, always says why, and can be made again from what it kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

import msgspec

from services.risk.domain.application import Application
from services.risk.domain.boosted_trees import BoostedTrees, probability_bad
from services.risk.domain.policy import Policy, VersionTwice, encoded
from services.risk.domain.reasons import REASONS, Reason
from services.risk.domain.rules import Finding, Severity, findings
from services.risk.domain.scorecard import (
    REASONS_MAX,
    Characteristic,
    Scorecard,
    bin_of,
    probability_of_default,
    score,
)
from shared.kernel.errors import InvalidArgument, NotFound

Model = TypeVar("Model", Scorecard, BoostedTrees)
PLACES = Decimal("0.0001")


class ProductUnknown(InvalidArgument):
    """The policy in force has no such product."""


class ModelNotFound(NotFound):
    """No model has this version."""


class Outcome(StrEnum):
    """What came out."""

    APPROVED = "APPROVED"
    DECLINED = "DECLINED"
    REFERRED = "REFERRED"


class Role(StrEnum):
    """Whose probability decided."""

    CHAMPION = "CHAMPION"
    CHALLENGER = "CHALLENGER"


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision; its digests are of all it looked at, and of the policy and models it is by."""

    application_id: str
    outcome: Outcome
    score: int
    probability_of_default: Decimal
    reasons: tuple[Reason, ...]
    policy_version: str
    model_version: str
    input_digest: str = ""
    role: Role = Role.CHAMPION
    challenger_version: str = ""
    challenger_probability: Decimal | None = None
    findings: tuple[Finding, ...] = ()
    rules_digest: str = ""


def _by_version(models: Iterable[Model]) -> dict[str, Model]:
    found: dict[str, Model] = {}
    for model in models:
        if model.version in found:
            raise VersionTwice(f"two models are {model.version}", field="version")
        found[model.version] = model
    return found


class Models:
    """All trained models, by version."""

    def __init__(self, cards: Iterable[Scorecard], trees: Iterable[BoostedTrees]) -> None:
        self.cards = _by_version(cards)
        self.trees = _by_version(trees)
        self.digests: dict[Policy, str] = {}

    def digest(self, policy: Policy) -> str:
        """Return the SHA-256 of a policy with the models it names: versions are only names."""
        if policy not in self.digests:
            models = self.card(policy.champion), self.challenger(policy.challenger)
            parts = msgspec.Raw(encoded(policy)), *models
            text = msgspec.json.encode(parts, order="sorted")
            self.digests[policy] = hashlib.sha256(text).hexdigest()
        return self.digests[policy]

    def card(self, version: str) -> Scorecard:
        """Return a scorecard, or raise ModelNotFound."""
        if version not in self.cards:
            raise ModelNotFound(f"no scorecard {version}", field="model_version")
        return self.cards[version]

    def challenger(self, version: str) -> BoostedTrees | None:
        """Return the trees of a policy that has a challenger, or raise ModelNotFound."""
        if version and version not in self.trees:
            raise ModelNotFound(f"no trees {version}", field="model_version")
        return self.trees.get(version)


def check(application: Application, policy: Policy) -> None:
    """
    Refuse what no decision is made on, before anybody is asked about the borrower.

    Raises:
        ProductUnknown: the policy has no such product.
        FactAfterDecision: something dated after the decision was given.
    """
    application.check_dates()
    if policy.products and application.product not in policy.products:
        expected = ", ".join(policy.products)
        name = application.product
        raise ProductUnknown(f"{name!r} is unknown", field="product", expected=expected)


def decide(application: Application, policy: Policy, models: Models) -> Decision:
    """
    Decide: a failed rule declines or refers; beyond that the probability of default decides.

    Which model's probability that is depends on the application's id alone, so the same
    application always has the same one; the other's is recorded beside it.

    Raises:
        ProductUnknown: the policy has no such product.
        FactAfterDecision: something dated after the decision was given.
    """
    check(application, policy)
    card, trees = models.card(policy.champion), models.challenger(policy.challenger)
    points, weak = score(card, application.attributes)
    probability = probability_of_default(card, points)
    other = None if trees is None else _four_places(probability_bad(trees, application.attributes))
    role = _role(application.application_id, policy)
    deciding = other if role is Role.CHALLENGER and other is not None else probability
    found = [*findings(application, policy), *_known(application, policy, card)]
    failed = [one for one in found if one.failed]
    reasons = [*(REASONS[one.code] for one in failed), *(_reason(item) for item in weak)]
    return Decision(
        application_id=application.application_id,
        outcome=_outcome(failed, deciding, policy),
        score=points,
        probability_of_default=deciding,
        reasons=tuple(_distinct(reasons)[:REASONS_MAX]),
        policy_version=policy.version,
        model_version=card.version,
        input_digest=application.digest(),
        role=role,
        challenger_version=policy.challenger,
        challenger_probability=other,
        findings=tuple(found),
        rules_digest=models.digest(policy),
    )


def _outcome(failed: list[Finding], probability: Decimal, policy: Policy) -> Outcome:
    if any(one.severity is Severity.DECLINES for one in failed):
        return Outcome.DECLINED
    if probability >= policy.probability_of_default_declined_from:
        return Outcome.DECLINED
    if failed or probability >= policy.probability_of_default_referred_from:
        return Outcome.REFERRED
    return Outcome.APPROVED


def _role(application_id: str, policy: Policy) -> Role:
    """Give a stable share of applications to the challenger, by a hash of the id."""
    if not policy.challenger:
        return Role.CHAMPION
    place = int.from_bytes(hashlib.sha256(application_id.encode()).digest()[:8], "big")
    below = Decimal(place) / 2**64 < policy.challenger_share
    return Role.CHALLENGER if below else Role.CHAMPION


def _known(application: Application, policy: Policy, card: Scorecard) -> list[Finding]:
    """Refer where too many attributes have no class: empty, unknown, NaN."""
    most = policy.attributes_missing_max
    if most is None:
        return []
    given = application.attributes
    missing = [i.name for i in card.characteristics if bin_of(i, given.get(i.name, "")) is None]
    found = f"{len(missing)} missing"
    return [
        Finding(
            code="TOO_LITTLE_KNOWN",
            severity=Severity.REFERS,
            found=found,
            bound=f"at most {most}",
            failed=len(missing) > most,
        )
    ]


def _distinct(reasons: list[Reason]) -> list[Reason]:
    return list(dict.fromkeys(reasons))


def _reason(item: Characteristic) -> Reason:
    return Reason(item.name.upper(), item.text_en, item.text_zh)


def _four_places(probability: float) -> Decimal:
    return Decimal(repr(probability)).quantize(PLACES)
