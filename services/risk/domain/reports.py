"""Which report about a borrower, and which confirmed income, may be used."""

from __future__ import annotations

from datetime import date

from services.risk.domain.application import Application, BureauReport, VerifiedIncome
from services.risk.domain.policy import Policy


def usable_report(application: Application, policy: Policy) -> BureauReport | None:
    """
    Return the bureau report, if it is consented to and fresh.

    A version of the policy without `bureau_days_max` uses every report.
    """
    report = application.bureau
    if report is None or policy.bureau_days_max is None:
        return report
    age = (application.decided_on - report.reported_on).days
    usable = report.consented_on is not None and age <= policy.bureau_days_max
    return report if usable else None


def fresh_income(income: VerifiedIncome | None, on: date, policy: Policy) -> VerifiedIncome | None:
    """Return a confirmed income while it is fresh; always, without an `income_days_max`."""
    if income is None or policy.income_days_max is None:
        return income
    return income if (on - income.verified_on).days <= policy.income_days_max else None


def earlier_income(before: Application, now: Application, policy: Policy) -> VerifiedIncome | None:
    """
    Return the lowest income that earlier decisions on an application saw confirmed, while fresh.

    It goes from decision to decision: asking twice, or without it, does not make it forgotten.
    What is of another borrower or currency, dated after this decision, or as high as the one that
    is used now, is none.
    """
    if (before.borrower_ref, before.currency) != (now.borrower_ref, now.currency):
        return None
    fresh = (
        fresh_income(one, now.decided_on, policy) for one in (before.income, before.income_earlier)
    )
    known = [one for one in fresh if one and one.verified_on <= now.decided_on]
    used = now.income.monthly_minor if now.income else None
    others = [one for one in known if one.monthly_minor != used]
    return min(others, key=lambda one: one.monthly_minor, default=None)
