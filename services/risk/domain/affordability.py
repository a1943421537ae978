"""Can the borrower pay: debt service over income, what is left to live on, and under stress."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from services.risk.domain.application import Application, VerifiedIncome
from services.risk.domain.policy import Policy
from services.risk.domain.reports import Confirmed, fresh_income, usable_report

NO_INCOME = Decimal(9)
"""The ratio of somebody without income."""


class Affordability(msgspec.Struct, frozen=True, kw_only=True):
    """Ratios are fractions, not rounded; amounts per month in minor units."""

    income_minor: int
    payments_minor: int
    debt_service_ratio: Decimal
    disposable_minor: int
    stressed_debt_service_ratio: Decimal


def affordability(application: Application, policy: Policy) -> Affordability:
    """
    Return what the borrower can afford.

    Income is the lowest of what is stated and what is confirmed; payments on other debts are the
    higher of what is stated and what the bureau reports; what is stated of this loan counts as far
    as it can repay it. Disposable is income less all payments,
    this loan's included, less the living costs of the policy. Stress raises this loan's payment
    by a share and lowers income by another.
    """
    income, others = income_counted(application), debts_counted(application, policy)
    own = instalment_counted(application, policy)
    stressed_own = own * (1 + policy.stress_rate_rise)
    return Affordability(
        income_minor=income,
        payments_minor=others + own,
        debt_service_ratio=ratio_of(Decimal(others + own), Decimal(income)),
        disposable_minor=income - others - own - (policy.living_costs_minor or 0),
        stressed_debt_service_ratio=ratio_of(
            others + stressed_own, income * (1 - policy.stress_income_fall)
        ),
    )


def instalment_least(application: Application) -> int:
    """Return the principal of each instalment, if all are as large: no loan is paid with less."""
    return application.amount_minor // application.instalments


def instalment_counted(application: Application, policy: Policy) -> int:
    """Return what the loan asks per month: at least its principal per instalment, if held so."""
    stated = application.monthly_instalment_minor
    held = policy.instalment_held_against_amount
    return max(stated, instalment_least(application)) if held else stated


def income_counted(application: Application) -> int:
    """Return the income that counts: the lowest of what is stated and what was confirmed."""
    confirmed = [one for one in (application.income, application.income_earlier) if one]
    return min([application.monthly_income_minor, *(one.monthly_minor for one in confirmed)])


def debts_counted(application: Application, policy: Policy) -> int:
    """Return the payments on other debts that count: what the bureau reports, if it is higher."""
    stated, report = application.monthly_debt_payments_minor, usable_report(application, policy)
    return stated if report is None else max(stated, report.monthly_payments_minor)


def contradiction(application: Application) -> Decimal:
    """
    Return by how much a confirmed income differs from the stated one, or from the one that was
    confirmed earlier, whichever is more; 0 where nothing is confirmed.
    """
    stated, earlier = application.monthly_income_minor, application.income_earlier
    confirmed = application.income or earlier
    if confirmed is None:
        return Decimal(0)
    gap = income_gap(stated, confirmed)
    return max(gap, income_gap(earlier.monthly_minor, confirmed)) if earlier else gap


def earlier_income(confirmed: Confirmed, now: Application, policy: Policy) -> VerifiedIncome | None:
    """
    Return the lowest income that was confirmed of a borrower otherwise than now, while fresh.

    Those that contradict what is said now come before those that do not. What is dated after this
    decision, or as high as the one that is used now, is none.
    """
    fresh = (fresh_income(one, now.decided_on, policy) for one in confirmed.incomes)
    known = [one for one in fresh if one and one.verified_on <= now.decided_on]
    used = now.income.monthly_minor if now.income else None
    others = [one for one in known if one.monthly_minor != used]
    far = [one for one in others if _far(one, now, policy.income_contradiction_max)]
    return min(far or others, key=lambda one: one.monthly_minor, default=None)


def _far(earlier: VerifiedIncome, now: Application, most: Decimal | None) -> bool:
    """Say whether what was confirmed earlier contradicts the income that is used now."""
    if most is None:
        return False
    if now.income is None:
        return income_gap(now.monthly_income_minor, earlier) > most
    return income_gap(earlier.monthly_minor, now.income) > most


def income_gap(stated_minor: int, confirmed: VerifiedIncome) -> Decimal:
    """Return by how much of the income stated before the confirmed one differs."""
    gap = abs(stated_minor - confirmed.monthly_minor)
    return ratio_of(Decimal(gap), Decimal(max(stated_minor, 1)))


def ratio_of(part: Decimal, whole: Decimal) -> Decimal:
    """Return a share of income; `NO_INCOME` when there is none."""
    if whole <= 0:
        return NO_INCOME
    return part / whole
