"""What early warning looks for: signs of one borrower, when they add up, and when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

import msgspec


class Indicator(StrEnum):
    """What was seen."""

    GRACE_AGAIN = "GRACE_AGAIN"
    GRACE_EXPIRED = "GRACE_EXPIRED"
    PART_PAYMENT_AGAIN = "PART_PAYMENT_AGAIN"
    REPAYMENTS_FALLING = "REPAYMENTS_FALLING"
    ENQUIRIES_MANY = "ENQUIRIES_MANY"
    OVERDUE_ELSEWHERE = "OVERDUE_ELSEWHERE"
    APPLIES_AGAIN = "APPLIES_AGAIN"


TEXTS = {
    Indicator.GRACE_AGAIN: ("Late again within a short time", "短期内再次逾期"),
    Indicator.GRACE_EXPIRED: ("Still late after the grace period", "宽限期满仍未还清"),
    Indicator.PART_PAYMENT_AGAIN: ("Paid only a part again", "再次只还部分欠款"),
    Indicator.REPAYMENTS_FALLING: ("Repays less and less", "还款金额持续下降"),
    Indicator.ENQUIRIES_MANY: ("Many lenders enquire about the borrower", "近期被多家机构查询征信"),
    Indicator.OVERDUE_ELSEWHERE: ("Overdue with another lender", "在其他机构有逾期"),
    Indicator.APPLIES_AGAIN: ("Applies for one loan after another", "短期内多次申请贷款"),
}
REPORT, APPLIED = "BUREAU_REPORT", "APPLIED"
"""Signs that do not come from the ledger: a bureau's report, and an application to us."""
SIGN_OF = {
    Indicator.GRACE_AGAIN: "GRACE_ENTERED",
    Indicator.GRACE_EXPIRED: "GRACE_EXPIRED",
    Indicator.PART_PAYMENT_AGAIN: "PARTIALLY_CURED",
    Indicator.REPAYMENTS_FALLING: "REPAYMENT_POSTED",
    Indicator.ENQUIRIES_MANY: REPORT,
    Indicator.OVERDUE_ELSEWHERE: REPORT,
    Indicator.APPLIES_AGAIN: APPLIED,
}


class WarningRules(msgspec.Struct, frozen=True, kw_only=True):
    """
    One version of the rules; counts are within the window, amounts minor units.

    What raises an indicator is one threshold, what clears it another: until it is clear, it does
    not warn again. Versions without `clear_days` clear at once. A sign that is heard later than
    `stale_days` warns nobody. A bound of None belongs to no rule of this version.
    """

    version: str
    window_days: int
    cool_down_days: int
    graces_min: int
    part_payments_min: int
    fall_share_max: Decimal
    falls_min: int
    clear_days: int = 0
    fall_share_clear: Decimal = Decimal(1)
    stale_days: int | None = None
    enquiries_30d_min: int | None = None
    enquiries_30d_clear: int = 0
    overdue_minor_min: int | None = None
    applications_min: int | None = None


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """
    An event as early warning needs it; the amount in minor units, the count a bureau's enquiries.

    `known_on` is the business date on which it was heard, None for its own; `days_behind` how far
    the reading of the stream then lagged. What is no event of a loan's stream has a `name`;
    `bucket_to` is of the M-buckets.
    """

    loan_id: str
    borrower_ref: str
    sequence: int
    type: str
    effective_on: date
    amount_minor: int = 0
    log_version: int = 0
    count: int = 0
    known_on: date | None = None
    days_behind: int = 0
    name: str = ""
    bucket_to: str = ""

    @property
    def event_id(self) -> str:
        """Name the event, such as "L-1/7"."""
        return self.name or f"{self.loan_id}/{self.sequence}"

    @property
    def learned_on(self) -> date:
        """Return the business date on which it was heard."""
        return max(self.known_on or self.effective_on, self.effective_on)

    def is_stale(self, rules: WarningRules) -> bool:
        """Say whether it was heard too late to warn of anything."""
        late = max((self.learned_on - self.effective_on).days, self.days_behind)
        return rules.stale_days is not None and late > rules.stale_days


class Sign(msgspec.Struct, frozen=True):
    """One thing that a borrower did or failed to do."""

    type: str
    loan_id: str
    on: date
    event_id: str
    amount_minor: int = 0
    log_version: int = 0


def seen(
    signs: Sequence[Sign], heard: Heard, rules: WarningRules
) -> list[tuple[Indicator, list[Sign]]]:
    """Return the indicators that this event completes, each with its evidence, oldest first."""
    since = heard.effective_on - timedelta(days=rules.window_days)
    same = [s for s in signs if s.type == heard.type and since < s.on <= heard.effective_on]
    if heard.type == REPORT:
        return _reported(heard, rules, same[-1:])
    if heard.type == "REPAYMENT_POSTED":
        last = [s for s in same if s.loan_id == heard.loan_id][-rules.falls_min - 1 :]
        falling = len(last) > rules.falls_min and _falling(last, rules.fall_share_max)
        return [(Indicator.REPAYMENTS_FALLING, last)] if falling else []
    for indicator, least in (
        (Indicator.GRACE_AGAIN, rules.graces_min),
        (Indicator.PART_PAYMENT_AGAIN, rules.part_payments_min),
        (Indicator.APPLIES_AGAIN, rules.applications_min),
        (Indicator.GRACE_EXPIRED, 1),
    ):
        if SIGN_OF[indicator] == heard.type and least is not None and len(same) >= least:
            return [(indicator, same[-1:] if least == 1 else same)]
    return []


def _reported(
    heard: Heard, rules: WarningRules, evidence: list[Sign]
) -> list[tuple[Indicator, list[Sign]]]:
    bounds = (
        (Indicator.ENQUIRIES_MANY, heard.count, rules.enquiries_30d_min),
        (Indicator.OVERDUE_ELSEWHERE, heard.amount_minor, rules.overdue_minor_min),
    )
    return [(name, evidence) for name, found, least in bounds if least and found >= least]


def clears(indicator: Indicator, signs: Sequence[Sign], heard: Heard, rules: WarningRules) -> bool:
    """
    Say whether an event ends what an indicator saw, though time has not.

    Enquiries are few again, nothing is overdue elsewhere, a repayment is about as large as the
    one before; what counts signs is ended by time alone.
    """
    if heard.type != SIGN_OF[indicator]:
        return False
    if indicator is Indicator.ENQUIRIES_MANY:
        return heard.count <= rules.enquiries_30d_clear
    if indicator is Indicator.OVERDUE_ELSEWHERE:
        return heard.amount_minor == 0
    if indicator is Indicator.REPAYMENTS_FALLING:
        paid = [s for s in signs if s.type == heard.type and s.loan_id == heard.loan_id][-2:]
        return len(paid) == 2 and not _falling(paid, rules.fall_share_clear)
    return False


def _falling(paid: Sequence[Sign], share_max: Decimal) -> bool:
    return all(b.amount_minor <= a.amount_minor * share_max for a, b in pairwise(paid))
