"""What early warning looks for: signs of one borrower, when they add up, and when it is over."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal
from enum import StrEnum

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
    DEBIT_RETURNED = "DEBIT_RETURNED"
    PAYS_LATER = "PAYS_LATER"
    INCOME_FALLING = "INCOME_FALLING"
    DEBT_RISING_ELSEWHERE = "DEBT_RISING_ELSEWHERE"
    GUARANTOR_IN_DEFAULT = "GUARANTOR_IN_DEFAULT"
    REGIONAL_SHOCK = "REGIONAL_SHOCK"
    EARLY_DEFAULTS = "EARLY_DEFAULTS"


TEXTS = {
    Indicator.GRACE_AGAIN: ("Late again within a short time", "短期内再次逾期"),
    Indicator.GRACE_EXPIRED: ("Still late after the grace period", "宽限期满仍未还清"),
    Indicator.PART_PAYMENT_AGAIN: ("Paid only a part again", "再次只还部分欠款"),
    Indicator.REPAYMENTS_FALLING: ("Repays less and less", "还款金额持续下降"),
    Indicator.ENQUIRIES_MANY: ("Many lenders enquire about the borrower", "近期被多家机构查询征信"),
    Indicator.OVERDUE_ELSEWHERE: ("Overdue with another lender", "在其他机构有逾期"),
    Indicator.APPLIES_AGAIN: ("Applies for one loan after another", "短期内多次申请贷款"),
    Indicator.DEBIT_RETURNED: ("A debit was returned", "扣款被退回"),
    Indicator.PAYS_LATER: ("Pays later and later", "还款越来越晚"),
    Indicator.INCOME_FALLING: ("Confirmed income has fallen", "核实收入下降"),
    Indicator.DEBT_RISING_ELSEWHERE: ("Owes other lenders much more", "在其他机构的负债明显上升"),
    Indicator.GUARANTOR_IN_DEFAULT: ("The guarantor is in default", "担保人已违约"),
    Indicator.REGIONAL_SHOCK: ("Many loans of this region fell behind", "该地区大量贷款转为逾期"),
    Indicator.EARLY_DEFAULTS: (
        "Many new loans of this partner fail",
        "该合作方新放贷款早期逾期过多",
    ),
}
REPORT, APPLIED, INCOME, GUARANTOR = "BUREAU_REPORT", "APPLIED", "INCOME", "GUARANTOR_DEFAULT"
"""Signs that are no event of the borrower's loan: reports, applications, incomes, guarantors."""
PAID, TAKEN_BACK, RETURNED = "REPAYMENT_POSTED", "REPAYMENT_REVERSED", "DEBIT_RETURNED"
DUE, STARTED, CURED = "INSTALMENT_DUE", "DELINQUENCY_STARTED", "CURED"
DRIFT = Decimal("0.5")
"""Weight of the newest instalment in the moving average of days to pay."""
SIGN_OF = {
    Indicator.GRACE_AGAIN: "GRACE_ENTERED",
    Indicator.GRACE_EXPIRED: "GRACE_EXPIRED",
    Indicator.PART_PAYMENT_AGAIN: "PARTIALLY_CURED",
    Indicator.REPAYMENTS_FALLING: PAID,
    Indicator.ENQUIRIES_MANY: REPORT,
    Indicator.OVERDUE_ELSEWHERE: REPORT,
    Indicator.APPLIES_AGAIN: APPLIED,
    Indicator.DEBIT_RETURNED: RETURNED,
    Indicator.PAYS_LATER: CURED,
    Indicator.INCOME_FALLING: INCOME,
    Indicator.DEBT_RISING_ELSEWHERE: REPORT,
    Indicator.GUARANTOR_IN_DEFAULT: GUARANTOR,
}
ID_CHARACTERS_MAX = 160
"""References and regions are texts of up to 200 characters, stored ids shorter."""
BESIDE = frozenset((DUE, STARTED))
"""Events of a loan that complete nothing themselves, and say how late it was paid."""


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
    enquiries_7d_min: int | None = None
    enquiries_7d_clear: int = 0
    enquiries_90d_min: int | None = None
    enquiries_90d_clear: int = 0
    returned_min: int | None = None
    returned_words: tuple[str, ...] = ()
    drift_window_days: int = 0
    instalments_min: int | None = None
    days_to_pay_min: Decimal = Decimal(0)
    days_to_pay_clear: Decimal = Decimal(0)
    compared_days: int = 0
    income_share_max: Decimal | None = None
    income_share_clear: Decimal = Decimal(1)
    debt_times_min: Decimal | None = None
    debt_times_clear: Decimal = Decimal(1)
    debt_rise_minor_min: int = 0
    lenders_rise_min: int | None = None
    guarantors_min: int | None = None

    @property
    def days_looked_at(self) -> int:
        """Return how far back the indicator that looks furthest does."""
        return max(self.window_days, self.drift_window_days, self.compared_days)

    def window_of(self, indicator: Indicator) -> int:
        """Return how many days back an indicator looks."""
        if indicator is Indicator.PAYS_LATER:
            return self.drift_window_days
        compares = indicator in (Indicator.INCOME_FALLING, Indicator.DEBT_RISING_ELSEWHERE)
        return self.compared_days if compares else self.window_days


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """
    An event as early warning needs it; the amount in minor units, the count a bureau's enquiries.

    `known_on` is the business date on which it was heard, None for its own; `days_behind` how far
    the reading of the stream then lagged. What is no event of a loan's stream has a `name`;
    `bucket_to` is of the M-buckets. Of a report `monthly_minor` is what other lenders are paid
    per month; None where nobody said it.
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
    reason: str = ""
    count_7d: int = 0
    count_90d: int = 0
    monthly_minor: int | None = None
    lenders: int | None = None
    currency: str = ""

    @property
    def event_id(self) -> str:
        """Name the event, such as "L-1/7"."""
        return self.name or f"{self.loan_id}/{self.sequence}"

    @property
    def told_by(self) -> str:
        """Return the loan whose stream told it: of a guarantor's default the guarantor's."""
        return _told_by(self.type, self.loan_id, self.event_id)


def kept_as(text: str, characters_max: int = ID_CHARACTERS_MAX) -> str:
    """Return a text as an id: as it is, or by a digest where it is too long, or no text."""
    if len(text) <= characters_max and text.isprintable():
        return text
    return hashlib.sha256(text.encode()).hexdigest()


def _told_by(type_: str, loan_id: str, event_id: str) -> str:
    return event_id.split("/")[1] if type_ == GUARANTOR else loan_id


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
    count_7d: int = 0
    count_90d: int = 0
    monthly_minor: int | None = None
    lenders: int | None = None
    currency: str = ""

    @property
    def known_on(self) -> date:
        """Return the business date on which it was heard."""
        return self.learned_on or self.on

    @property
    def sequence(self) -> int:
        """Return its number in its loan's stream; 0 for what is no event of one."""
        number = self.event_id.rpartition("/")[2]
        return 0 if self.type in (REPORT, APPLIED, INCOME, GUARANTOR) else int(number)

    @property
    def told_by(self) -> str:
        """Return the loan whose stream told it: of a guarantor's default the guarantor's."""
        return _told_by(self.type, self.loan_id, self.event_id)

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
