"""Can the borrower pay: debt service over income, what is left to live on, and under stress."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from services.risk.domain.application import Application, VerifiedIncome
from services.risk.domain.policy import Policy
from services.risk.domain.reports import usable_report

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


def income_gap(stated_minor: int, confirmed: VerifiedIncome) -> Decimal:
    """Return by how much of the income stated before the confirmed one differs."""
    gap = abs(stated_minor - confirmed.monthly_minor)
    return ratio_of(Decimal(gap), Decimal(max(stated_minor, 1)))


def ratio_of(part: Decimal, whole: Decimal) -> Decimal:
    """Return a share of income; `NO_INCOME` when there is none."""
    if whole <= 0:
        return NO_INCOME
    return part / whole
