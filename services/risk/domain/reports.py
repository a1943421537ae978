"""Which report about a borrower may be used."""

from __future__ import annotations

from services.risk.domain.application import Application, BureauReport
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
