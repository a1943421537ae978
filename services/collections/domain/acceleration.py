"""May everything be declared due at once (加速到期)? After a letter that said so, and its days."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple

import msgspec

from services.collections.domain.case import Case
from services.collections.domain.matter import (
    AccelerationRules,
    LegalPolicy,
    LegalPolicyNotFound,
    Matter,
    Step,
    Taken,
    paid_days,
)
from services.collections.domain.treatment import has_word
from shared.kernel.errors import Refused

STEPS = (Step.ACCELERATION_NOTICE, Step.ACCELERATION)
OF_THE_LEDGER = (Step.ACCELERATION, Step.ACCELERATION_WITHDRAWAL)
"""Steps that the ledger is told: they are of today, and one is on its way at a time."""


class LegalDueAlready(Refused):
    """Everything is due: it was declared so before, or the loan was charged off."""


class LegalNotLateEnough(Refused):
    """The loan is not late enough, or by too little, to declare everything due."""


class LegalNoticeMissing(Refused):
    """No letter said that everything would be declared due, or it is too old."""


class LegalPaidInTime(Refused):
    """Money came within the days that the letter gave: it takes another letter."""


class LegalPromiseOpen(Refused):
    """A promise is open, or a plan waits for its answer."""


class LegalNotAccelerated(Refused):
    """No acceleration is in force that could be taken back."""


class Owing(NamedTuple):
    """What the ledger says of a loan today; amounts in minor units."""

    final_due_on: date | None
    lent_minor: int = 0
    days_past_due: int = 0
    overdue_minor: int = 0


class Notice(NamedTuple):
    """
    A letter that said that everything would be declared due.

    From the day after `pay_by` until `until_on` it may be, unless money came: on `paid_on`.
    """

    told_on: date
    pay_by: date
    until_on: date
    paid_on: date | None


def notice_of(matter: Matter, policy: LegalPolicy, case: Case) -> Notice | None:
    """Return the letter of the last notice that was approved; None where none left the house."""
    rules, wanted = policy.acceleration, matter.taken(Step.ACCELERATION_NOTICE)
    if rules is None or wanted is None:
        return None
    # A letter serves once: what was declared and taken back takes another.
    spent = [t.on for t in matter.steps if t.step is Step.ACCELERATION and t.outcome == "DONE"]
    sent = [day for day in matter.acceleration_notices if day > max(spent, default=date.min)]
    told_on = min((day for day in sent if day >= wanted.on), default=None)
    if told_on is None:
        return None
    pay_by = told_on + timedelta(days=rules.notice_days)
    paid = [day for day in paid_days(case) if told_on <= day <= pay_by]
    until_on = pay_by + timedelta(days=rules.notice_holds_days)
    return Notice(told_on, pay_by, until_on, min(paid, default=None))


def check(
    matter: Matter, taken: Taken, policy: LegalPolicy, case: Case, owing: Owing, on: date
) -> None:
    """
    Let a notice or an acceleration pass on a day, or say what stands in the way.

    Raises:
        LegalPolicyNotFound, LegalDueAlready, LegalNotLateEnough, LegalPromiseOpen: of both.
        LegalNoticeMissing, LegalPaidInTime: of an acceleration.
    """
    rules = policy.acceleration
    if rules is None:
        said = f"{policy.version} has none for an acceleration"
        raise LegalPolicyNotFound(said, field="step", expected="another step")
    if case.acceleration is not None or case.episodes[-1].charged_off:
        raise LegalDueAlready("everything is due", field="loan_id")
    _require_late(rules, owing)
    if has_word(case):
        raise LegalPromiseOpen("the borrower's word is waited for", field="loan_id")
    if taken.step is Step.ACCELERATION:
        _require_told(notice_of(matter, policy, case), on)


def _require_late(rules: AccelerationRules, owing: Owing) -> None:
    least = Fraction(rules.arrears_share_least) * owing.lent_minor
    if owing.days_past_due < rules.days_late_least or owing.overdue_minor < least:
        minor = -(-least.numerator // least.denominator)
        raise LegalNotLateEnough(
            f"{owing.days_past_due} days past due with {owing.overdue_minor}",
            field="loan_id",
            expected=f"from {rules.days_late_least} days and {minor}",
        )


def _require_told(notice: Notice | None, on: date) -> None:
    if notice is None:
        raise LegalNoticeMissing(
            "no letter said so", field="step", expected=f"{Step.ACCELERATION_NOTICE} first"
        )
    if notice.paid_on is not None:
        raise LegalPaidInTime(
            f"money of {notice.paid_on}", field="step", expected=f"{Step.ACCELERATION_NOTICE} again"
        )
    if not notice.pay_by < on <= notice.until_on:
        raise LegalNoticeMissing(
            f"the letter gave time until {notice.pay_by}",
            field="on",
            expected=f"after {notice.pay_by}, until {notice.until_on}",
        )


def require_accelerated(case: Case) -> None:
    """Raise LegalNotAccelerated where there is nothing to take back."""
    if case.acceleration is None:
        raise LegalNotAccelerated("no acceleration is in force", field="step")


def told(matter: Matter, refusal: str) -> Matter:
    """Write down what the ledger answered to the step that it was being told."""
    ordered, outcome = matter.ordered, "REFUSED" if refusal else "DONE"
    assert ordered is not None
    done = msgspec.structs.replace(ordered, outcome=outcome, refusal=refusal)
    steps = tuple(done if one is ordered else one for one in matter.steps)
    return msgspec.structs.replace(matter, steps=steps)
