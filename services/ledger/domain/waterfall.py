"""Which debt money goes to first: a contract's waterfall, from the first stage to the last."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

import msgspec


class Component(StrEnum):
    """The part of the debt that money goes to."""

    COST = "COST"
    PENALTY = "PENALTY"
    FEE = "FEE"
    INTEREST = "INTEREST"
    PRINCIPAL = "PRINCIPAL"


class DueBucket(StrEnum):
    """Where a debt stands on the day the money counts."""

    PAST_DUE = "PAST_DUE"
    DUE = "DUE"
    IN_ADVANCE = "IN_ADVANCE"


COST, PENALTY, FEE, INTEREST, PRINCIPAL = Component
PAST_DUE, DUE, IN_ADVANCE = DueBucket
# By these names every payment asks: a member of its enum takes nine times as long to look up.


class FutureRule(StrEnum):
    """Which coming instalments money in advance goes to."""

    NEXT = "NEXT"
    LAST = "LAST"
    SPREAD = "SPREAD"


class PaymentSource(StrEnum):
    """Who the money came from, as the waterfall may tell them apart."""

    BORROWER = "BORROWER"
    GOODWILL = "GOODWILL"
    MERCHANT_REFUND = "MERCHANT_REFUND"
    PAYOUT_REFUND = "PAYOUT_REFUND"
    GUARANTOR = "GUARANTOR"


class Stage(msgspec.Struct, frozen=True, gc=False):
    """Debts of these buckets are paid together, by instalment or by component, in this order."""

    buckets: tuple[DueBucket, ...]
    components: tuple[Component, ...]


class Waterfall(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """
    One allocation policy, part of the contract's terms.

    `vertical` pays one component of all instalments before the next component; otherwise one
    instalment before the next. `charges_with_instalment` makes a dated charge fall due with its
    instalment instead of on its own date. `late_stages` replace the stages from
    `late_from_days` past due.
    """

    policy: str
    stages: tuple[Stage, ...]
    vertical: bool = False
    charges_with_instalment: bool = False
    future: FutureRule = FutureRule.NEXT
    future_by_source: tuple[tuple[PaymentSource, FutureRule], ...] = ()
    late_from_days: int = 0
    late_stages: tuple[Stage, ...] = ()

    def rule_for(self, source: PaymentSource) -> FutureRule:
        """Return where money in advance from this source goes."""
        if not self.future_by_source:
            return self.future
        return dict(self.future_by_source).get(source, self.future)

    def stages_at(self, days_past_due: int) -> tuple[Stage, ...]:
        """Return the stages that hold for a loan so late."""
        late = self.late_from_days and days_past_due >= self.late_from_days
        return self.late_stages if late else self.stages


_NOW = (PAST_DUE, DUE)

OLDEST_FIRST = Waterfall(
    "oldest-first/1",
    (
        Stage(_NOW, (PENALTY, INTEREST, PRINCIPAL)),
        Stage(_NOW, (COST, FEE)),
        Stage((IN_ADVANCE,), (COST, PENALTY, FEE, INTEREST, PRINCIPAL)),
    ),
)
"""Oldest instalment first: penalty, interest, principal; then charges; then what is to come."""

CIVIL_CODE_561 = Waterfall(
    "cn-civil-561/1",
    (
        Stage(_NOW, (COST, PENALTY, FEE, INTEREST, PRINCIPAL)),
        Stage((IN_ADVANCE,), (COST, PENALTY, FEE, INTEREST, PRINCIPAL)),
    ),
    vertical=True,
)
"""Costs of enforcement, then interest, then principal (Civil Code, art. 561)."""

PRINCIPAL_FIRST_AFTER_90 = Waterfall(
    "principal-first-after-90/1",
    CIVIL_CODE_561.stages,
    vertical=True,
    late_from_days=91,
    late_stages=(
        Stage(_NOW, (PRINCIPAL, COST, INTEREST, PENALTY, FEE)),
        Stage((IN_ADVANCE,), (PRINCIPAL, COST, INTEREST, PENALTY, FEE)),
    ),
)
"""Up to 90 days past due as art. 561, later principal first: a practice, not a rule of law."""

WATERFALLS = {w.policy: w for w in (OLDEST_FIRST, CIVIL_CODE_561, PRINCIPAL_FIRST_AFTER_90)}
"""The allocation policies that a contract can name."""


def bucket_of_due(due_on: date, on: date) -> DueBucket:
    """Say where a debt due on one date stands on another."""
    if due_on < on:
        return PAST_DUE
    return DUE if due_on == on else IN_ADVANCE
