"""What early warning looks for: signs of one borrower, when they add up, and when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
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


class Sign(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that a borrower did or failed to do; `learned_on` is None for its own date."""

    type: str
    loan_id: str
    on: date
    event_id: str
    amount_minor: int = 0
    log_version: int = 0
    count: int = 0
    learned_on: date | None = None

    @property
    def known_on(self) -> date:
        """Return the business date on which it was heard."""
        return self.learned_on or self.on

    @property
    def sequence(self) -> int:
        """Return its number in its loan's stream; 0 for what is no event of one."""
        number = self.event_id.rpartition("/")[2]
        return int(number) if self.type not in (REPORT, APPLIED) else 0

    @property
    def place(self) -> tuple[date, str, int, str]:
        """Order signs by when they count, whenever they were heard."""
        return self.on, self.loan_id, self.sequence, self.event_id


class Seen(msgspec.Struct, frozen=True):
    """The signs that complete an indicator, oldest first, and when enough of them were known."""

    evidence: tuple[Sign, ...]
    known_on: date


INDICATORS_OF = {
    sign: [indicator for indicator, one in SIGN_OF.items() if one == sign]
    for sign in set(SIGN_OF.values())
}


def seen(indicator: Indicator, recent: Sequence[Sign], rules: WarningRules) -> Seen | None:
    """Return what completes an indicator with the last of a window's signs; None if nothing."""
    last = recent[-1]
    same = [one for one in recent if one.type == last.type]
    if indicator is Indicator.ENQUIRIES_MANY:
        return _seen([last], rules.enquiries_30d_min, last.count)
    if indicator is Indicator.OVERDUE_ELSEWHERE:
        return _seen([last], rules.overdue_minor_min, last.amount_minor)
    if indicator is Indicator.REPAYMENTS_FALLING:
        paid = [one for one in same if one.loan_id == last.loan_id][-rules.falls_min - 1 :]
        return _seen(paid, rules.falls_min + 1, len(paid) if _falling(paid, rules) else 0)
    least = {
        Indicator.GRACE_AGAIN: rules.graces_min,
        Indicator.PART_PAYMENT_AGAIN: rules.part_payments_min,
        Indicator.APPLIES_AGAIN: rules.applications_min,
        Indicator.GRACE_EXPIRED: 1,
    }[indicator]
    return _seen(same[-1:] if least == 1 else same, least, len(same))


def _seen(evidence: Sequence[Sign], least: int | None, found: int) -> Seen | None:
    if not least or found < least:
        return None
    # More signs than are needed may be heard later: it was known when there were enough.
    *others, last = evidence
    known = sorted(one.known_on for one in others)[: max(0, least - 1)]
    return Seen(tuple(evidence), max([last.known_on, *known]))


def clears(indicator: Indicator, recent: Sequence[Sign], rules: WarningRules) -> bool:
    """
    Say whether the last of a window's signs ends what an indicator saw, though time has not.

    Enquiries are few again, nothing is overdue elsewhere, a repayment is about as large as the
    loan's one before; what counts signs is ended by time alone.
    """
    last = recent[-1]
    if indicator is Indicator.ENQUIRIES_MANY:
        return last.count <= rules.enquiries_30d_clear
    if indicator is Indicator.OVERDUE_ELSEWHERE:
        return last.amount_minor == 0
    if indicator is Indicator.REPAYMENTS_FALLING:
        paid = [one for one in recent if one.type == last.type and one.loan_id == last.loan_id]
        return len(paid) > 1 and not _falls(paid[-2], last, rules.fall_share_clear)
    return False


def _falling(paid: Sequence[Sign], rules: WarningRules) -> bool:
    return all(_falls(a, b, rules.fall_share_max) for a, b in pairwise(paid))


def _falls(before: Sign, after: Sign, share_max: Decimal) -> bool:
    return after.amount_minor <= before.amount_minor * share_max
