"""When signs of one borrower add up to an indicator, and when that is over: thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

from services.risk.domain.indicators import (
    CURED,
    DRIFT,
    DUE,
    STARTED,
    Indicator,
    Seen,
    Sign,
    WarningRules,
)

ONE_DAY = timedelta(days=1)


def seen(indicator: Indicator, recent: Sequence[Sign], rules: WarningRules) -> Seen | None:
    """Return what completes an indicator with the last of a window's signs; None if nothing."""
    last = recent[-1]
    if indicator is Indicator.ENQUIRIES_MANY:
        return _seen([last], 1, int(_enquiries_many(last, rules)))
    if indicator is Indicator.OVERDUE_ELSEWHERE:
        return _seen([last], rules.overdue_minor_min, last.amount_minor)
    if indicator is Indicator.REPAYMENTS_FALLING:
        paid = _of_loan(recent)[-rules.falls_min - 1 :]
        return _seen(paid, rules.falls_min + 1, len(paid) if _falling(paid, rules) else 0)
    if indicator is Indicator.PAYS_LATER:
        return _all(*_pays_later(recent, rules))
    if indicator is Indicator.INCOME_FALLING:
        return _all(*_income_fell(recent, rules.income_share_max))
    if indicator is Indicator.DEBT_RISING_ELSEWHERE:
        return _all(*_debt_rose(recent, rules))
    least = {
        Indicator.GRACE_AGAIN: rules.graces_min,
        Indicator.PART_PAYMENT_AGAIN: rules.part_payments_min,
        Indicator.APPLIES_AGAIN: rules.applications_min,
        Indicator.DEBIT_RETURNED: rules.returned_min,
        Indicator.GUARANTOR_IN_DEFAULT: rules.guarantors_min,
        Indicator.GRACE_EXPIRED: 1,
    }[indicator]
    same = [one for one in recent if one.type == last.type]
    return _seen(same[-1:] if least == 1 else same, least, len(same))


def clears(indicator: Indicator, recent: Sequence[Sign], rules: WarningRules) -> bool:
    """
    Say whether the last of a window's signs ends what an indicator saw, though time has not.

    Enquiries are few again, nothing is overdue elsewhere, a repayment is about as large as the
    loan's one before, the loan is paid about when it is due, income and debts are about what they
    were; what counts signs is ended by time alone.
    """
    last = recent[-1]
    if indicator is Indicator.ENQUIRIES_MANY:
        return _enquiries_few(last, rules)
    if indicator is Indicator.OVERDUE_ELSEWHERE:
        return last.amount_minor == 0
    if indicator is Indicator.REPAYMENTS_FALLING:
        paid = _of_loan(recent)
        return len(paid) > 1 and not _falls(paid[-2], last, rules.fall_share_clear)
    if indicator is Indicator.PAYS_LATER:
        return days_to_pay(recent)[1] <= rules.days_to_pay_clear
    if indicator is Indicator.INCOME_FALLING:
        return not _income_fell(recent, rules.income_share_clear)[1]
    if indicator is Indicator.DEBT_RISING_ELSEWHERE:
        return _debt_is_back(recent, rules)
    return False


def _seen(evidence: Sequence[Sign], least: int | None, found: int) -> Seen | None:
    if not least or found < least:
        return None
    # More signs than are needed may be heard later: it was known when there were enough.
    *others, last = evidence
    known = sorted(one.known_on for one in others)[: max(0, least - 1)]
    return Seen(tuple(evidence), max([last.known_on, *known]))


def _all(evidence: Sequence[Sign], found: bool) -> Seen | None:
    """Return what rests on every one of some signs."""
    return _seen(evidence, len(evidence), len(evidence)) if found else None


def _of_loan(recent: Sequence[Sign]) -> list[Sign]:
    """Return the signs of the last one's type and loan."""
    last = recent[-1]
    return [one for one in recent if (one.type, one.loan_id) == (last.type, last.loan_id)]


def _enquiries_many(last: Sign, rules: WarningRules) -> bool:
    counts = (
        (last.count_7d, rules.enquiries_7d_min),
        (last.count, rules.enquiries_30d_min),
        (last.count_90d, rules.enquiries_90d_min),
    )
    return any(least is not None and count >= least for count, least in counts)


def _enquiries_few(last: Sign, rules: WarningRules) -> bool:
    counts = (
        (last.count_7d, rules.enquiries_7d_min, rules.enquiries_7d_clear),
        (last.count, rules.enquiries_30d_min, rules.enquiries_30d_clear),
        (last.count_90d, rules.enquiries_90d_min, rules.enquiries_90d_clear),
    )
    return all(least is None or count <= most for count, least, most in counts)


def _falling(paid: Sequence[Sign], rules: WarningRules) -> bool:
    return all(_falls(a, b, rules.fall_share_max) for a, b in pairwise(paid))


def _falls(before: Sign, after: Sign, share_max: Decimal) -> bool:
    return after.amount_minor <= before.amount_minor * share_max


def days_to_pay(recent: Sequence[Sign]) -> tuple[int, Decimal]:
    """
    Return a loan's instalments, and the moving average of the days until each was paid up.

    An instalment on whose due date something is overdue is paid up when nothing is any more; the
    loan is the last sign's, which ends the last of it. One paid when due counts with 0 days.
    """
    loan = [one for one in recent if one.loan_id == recent[-1].loan_id]
    dues = {one.on for one in loan if one.type == DUE}
    spans: list[tuple[date, date]] = []
    since: date | None = None
    for one in loan:
        if one.type == STARTED and since is None:
            # Late since the last due date; before it was late for the first time we heard of none.
            since = max((due for due in dues if due <= one.on), default=one.on - ONE_DAY)
        elif one.type == CURED and since is not None:
            spans.append((since, one.on))
            since = None
    average = Decimal(0)
    dues |= {first for first, _ in spans}
    for due in sorted(dues):
        ends = [end for first, end in spans if first <= due < end]
        average += DRIFT * ((max(ends) - due).days if ends else 0) - DRIFT * average
    return len(dues), average


def _pays_later(recent: Sequence[Sign], rules: WarningRules) -> tuple[list[Sign], bool]:
    loan_id = recent[-1].loan_id
    evidence = [one for one in recent if one.loan_id == loan_id and one.type in (STARTED, CURED)]
    count, average = days_to_pay(recent)
    enough = rules.instalments_min is not None and count >= rules.instalments_min
    return evidence, enough and average >= rules.days_to_pay_min


def _income_fell(recent: Sequence[Sign], share_max: Decimal | None) -> tuple[list[Sign], bool]:
    """Hold the last income against the highest before, of the same currency."""
    *before, last = _comparable(recent)
    if share_max is None or not before:
        return [last], False
    highest = max(before, key=lambda one: one.amount_minor)
    return [highest, last], last.amount_minor <= highest.amount_minor * share_max


def _debt_rose(recent: Sequence[Sign], rules: WarningRules) -> tuple[list[Sign], bool]:
    """Hold what the last report says against the least that a report before it said."""
    *before, last = _comparable(recent)
    if not before or last.monthly_minor is None or rules.debt_times_min is None:
        return [last], False
    least = min(before, key=lambda one: one.monthly_minor or 0)
    rise = last.monthly_minor - (least.monthly_minor or 0)
    times = last.monthly_minor >= (least.monthly_minor or 0) * rules.debt_times_min
    if times and rise >= max(1, rules.debt_rise_minor_min):
        return [least, last], True
    fewest = min(before, key=lambda one: one.lenders or 0)
    more = (last.lenders or 0) - (fewest.lenders or 0)
    return [fewest, last], rules.lenders_rise_min is not None and more >= rules.lenders_rise_min


def _debt_is_back(recent: Sequence[Sign], rules: WarningRules) -> bool:
    *before, last = _comparable(recent)
    if not before or last.monthly_minor is None:
        return False
    least = min(one.monthly_minor or 0 for one in before)
    fewest = min(one.lenders or 0 for one in before)
    return last.monthly_minor <= least * rules.debt_times_clear and (last.lenders or 0) <= fewest


def _comparable(recent: Sequence[Sign]) -> list[Sign]:
    """Return the signs of the last one's type and currency that say an amount; the last is one."""
    *others, last = recent
    kind = last.type, last.currency, last.monthly_minor is None
    before = [o for o in others if (o.type, o.currency, o.monthly_minor is None) == kind]
    return [*before, last]
