"""Rules that an application must pass whatever its score; each failed rule is a reason."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum

import msgspec

from services.risk.domain.affordability import affordability, contradiction, instalment_least
from services.risk.domain.application import Application
from services.risk.domain.policy import JointLending, Policy
from services.risk.domain.reports import usable_report


class Severity(StrEnum):
    """What a failed rule does."""

    DECLINES = "DECLINES"
    REFERS = "REFERS"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One rule on one application: what was found, what the bound is, whether it failed."""

    code: str
    severity: Severity
    found: str
    bound: str
    failed: bool


def findings(application: Application, policy: Policy) -> list[Finding]:
    """Return every rule of this version, those that decline first."""
    found = [
        *_exclusions(application, policy),
        *_ability_to_pay(application, policy),
        *_other_lenders(application, policy),
        *_reports(application, policy),
        *_confirmed_income(application, policy),
        *_own_book(application, policy),
    ]
    return sorted(found, key=lambda one: one.severity is Severity.REFERS)


def declines(code: str, found: object, bound: object, failed: bool) -> Finding:
    """Return a rule that declines when it fails."""
    return Finding(
        code=code, severity=Severity.DECLINES, found=str(found), bound=str(bound), failed=failed
    )


def refers(code: str, found: object, bound: object, failed: bool) -> Finding:
    """Return a rule that has a person look when it fails."""
    return Finding(
        code=code, severity=Severity.REFERS, found=str(found), bound=str(bound), failed=failed
    )


def confirmation_unusable(why: str) -> Finding:
    """Have a person look where a source confirmed an income, but not so that it can be used."""
    return refers("INCOME_CONFIRMATION_UNUSABLE", why, "a confirmation that says all", True)


def _exclusions(a: Application, p: Policy) -> Iterator[Finding]:
    low, high = p.age_years_min, p.age_years_max
    wrong = not low <= a.age_years <= high
    yield declines("AGE_OUT_OF_RANGE", a.age_years, f"{low} to {high}", wrong)
    low, high = p.amount_minor_min, p.amount_minor_max
    wrong = not low <= a.amount_minor <= high
    yield declines("AMOUNT_OUT_OF_RANGE", a.amount_minor, f"{low} to {high}", wrong)
    # Before an application had a purpose of its own, the attribute was compared as it was written.
    purpose, excluded = a.purpose or a.attributes.get("purpose", ""), p.purposes_excluded
    wrong = _plain(purpose) in map(_plain, excluded) if a.purpose else purpose in excluded
    yield declines("PURPOSE_EXCLUDED", purpose, f"none of {', '.join(excluded)}", wrong)


def _ability_to_pay(a: Application, p: Policy) -> Iterator[Finding]:
    able = affordability(a, p)
    ratio, most = able.debt_service_ratio, p.debt_service_ratio_max
    yield declines("DEBT_SERVICE_TOO_HIGH", places(ratio), f"at most {most}", ratio > most)
    if p.living_costs_minor is not None:
        left = able.disposable_minor
        yield declines("NOTHING_LEFT_TO_LIVE_ON", left, "0 or more", left < 0)
    if p.stressed_debt_service_ratio_max is not None:
        ratio, most = able.stressed_debt_service_ratio, p.stressed_debt_service_ratio_max
        code = "DEBT_SERVICE_UNDER_STRESS_TOO_HIGH"
        yield refers(code, places(ratio), f"at most {most}", ratio > most)
    if p.instalment_held_against_amount:
        stated, least = a.monthly_instalment_minor, instalment_least(a)
        yield refers("INSTALMENT_TOO_LOW", stated, f"at least {least}", stated < least)
    if p.income_contradiction_max is not None and (a.income or a.income_earlier):
        gap, most = contradiction(a), p.income_contradiction_max
        yield refers("INCOME_CONTRADICTORY", places(gap), f"at most {most}", gap > most)
    if p.income_days_max is not None and a.income is not None:
        days = (a.decided_on - a.income.verified_on).days
        yield refers(
            "INCOME_STALE", days, f"at most {p.income_days_max} days", days > p.income_days_max
        )


def _other_lenders(a: Application, p: Policy) -> Iterator[Finding]:
    """Count what is stated or reported, whichever is more (多头借贷)."""
    report = usable_report(a, p)
    lenders = max(a.other_lenders, report.lenders if report else 0)
    most = p.other_lenders_max
    yield declines("TOO_MANY_LENDERS", lenders, f"at most {most}", lenders > most)
    month = max(a.enquiries_30d, report.enquiries_30d if report else 0)
    counts: list[tuple[int, int, int | None]] = [(30, month, p.enquiries_30d_max)]
    if report is not None:
        counts.append((7, report.enquiries_7d, p.enquiries_7d_max))
        counts.append((90, report.enquiries_90d, p.enquiries_90d_max))
    said = [(d, n, m) for d, n, m in sorted(counts) if m is not None]
    yield declines(
        "TOO_MANY_ENQUIRIES",
        ", ".join(f"{n} in {d} days" for d, n, _ in said),
        ", ".join(f"at most {m} in {d} days" for d, _, m in said),
        any(n > m for _, n, m in said),
    )
    if report is not None and p.overdue_elsewhere_minor_max is not None:
        most = p.overdue_elsewhere_minor_max
        overdue = report.overdue_minor
        yield declines("OVERDUE_ELSEWHERE", overdue, f"at most {most}", overdue > most)


def _reports(a: Application, p: Policy) -> Iterator[Finding]:
    """Refer where a report is needed, or was there, and there is none that may be used."""
    if a.bureau_unusable:
        yield refers("BUREAU_REPORT_UNUSABLE", a.bureau_unusable, "a report that says all", True)
    if p.bureau_required_from_minor is not None:
        needed = a.amount_minor >= p.bureau_required_from_minor
        bound = f"needed from {p.bureau_required_from_minor}"
        yield refers("BUREAU_REPORT_MISSING", a.amount_minor, bound, needed and a.bureau is None)
    if p.bureau_days_max is not None and a.bureau is not None:
        consented = a.bureau.consented_on
        yield refers("BUREAU_CONSENT_MISSING", consented or "none", "a date", consented is None)
        days = (a.decided_on - a.bureau.reported_on).days
        stale = days > p.bureau_days_max
        yield refers("BUREAU_REPORT_STALE", days, f"at most {p.bureau_days_max} days", stale)


def _confirmed_income(a: Application, p: Policy) -> Iterator[Finding]:
    """Refer where an income is to be confirmed, or was, and there is none that may be used."""
    if a.income_unusable:
        yield confirmation_unusable(a.income_unusable)
    if p.income_required_from_minor is not None:
        needed = a.amount_minor >= p.income_required_from_minor
        bound = f"needed from {p.income_required_from_minor}"
        yield refers("INCOME_NOT_CONFIRMED", a.amount_minor, bound, needed and a.income is None)


def _own_book(a: Application, p: Policy) -> Iterator[Finding]:
    if p.borrower_approved_minor_max is not None:
        sum_minor, most = a.borrower_approved_minor + a.amount_minor, p.borrower_approved_minor_max
        yield refers("BORROWER_EXPOSURE_TOO_HIGH", sum_minor, f"at most {most}", sum_minor > most)
    if p.group_approved_minor_max is not None and a.group_ref:
        sum_minor, most = a.group_approved_minor + a.amount_minor, p.group_approved_minor_max
        yield refers("GROUP_EXPOSURE_TOO_HIGH", sum_minor, f"at most {most}", sum_minor > most)
    if p.joint_lending is not None and a.partner_share:
        yield from _joint(a, p.joint_lending)
    limits = {limit.dimension: limit for limit in p.limits}
    for item in a.slices:
        limit = limits.get(item.dimension)
        if limit is None:
            continue
        total = item.total_minor + a.amount_minor
        share = Decimal(item.amount_minor + a.amount_minor) / total
        beyond = total >= limit.total_minor_min and share > limit.share_max
        found = f"{item.dimension} {item.value}: {places(share)}"
        bound = f"at most {limit.share_max} of {limit.total_minor_min} and more"
        yield refers("CONCENTRATION_LIMIT", found, bound, beyond)


def _joint(a: Application, bounds: JointLending) -> Iterator[Finding]:
    """Hold a loan that its partner funds too against the bounds of joint lending."""
    least = bounds.partner_share_min
    low = a.partner_share < least
    yield declines("JOINT_SHARE_TOO_LOW", a.partner_share, f"at least {least}", low)
    most = int(bounds.tier_one_minor * bounds.partner_of_tier_one_max)
    sum_minor = a.joint_partner_minor + a.amount_minor
    yield refers("JOINT_PARTNER_LIMIT", sum_minor, f"at most {most}", sum_minor > most)
    lent = a.lent_minor + a.amount_minor
    share = Decimal(a.joint_minor + a.amount_minor) / lent
    beyond = lent >= bounds.lent_minor_min and share > bounds.jointly_of_lent_max
    bound = f"at most {bounds.jointly_of_lent_max} of {bounds.lent_minor_min} and more"
    yield refers("JOINT_LENDING_LIMIT", places(share), bound, beyond)


def _plain(text: str) -> str:
    """Return a text without differences of case, width and space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def places(ratio: Decimal) -> Decimal:
    """Return a ratio as it is shown: four places, half-even."""
    return round(ratio, 4)
