"""Which report about a borrower, and which confirmed income, may be used."""

from __future__ import annotations

from datetime import date

import msgspec

from services.risk.domain.application import Application, BureauReport, VerifiedIncome
from services.risk.domain.policy import Policy

KEPT_MAX = 20


class Confirmed(msgspec.Struct, frozen=True, kw_only=True):
    """What was confirmed of a borrower's income in one currency: each amount once, oldest first."""

    incomes: tuple[VerifiedIncome, ...] = ()

    def with_more(self, income: VerifiedIncome) -> Confirmed:
        """Return this with another confirmation; of those of one amount the newest stays."""
        newest = {one.monthly_minor: one for one in sorted((*self.incomes, income), key=_age)}
        return Confirmed(incomes=tuple(sorted(newest.values(), key=_age)[-KEPT_MAX:]))


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


def _age(income: VerifiedIncome) -> tuple[date, int]:
    return income.verified_on, income.monthly_minor
