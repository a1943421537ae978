"""Rules that an application must pass whatever its score; each failed rule is a reason."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the rules; ratios are fractions, probabilities of default over the loan."""

    version: str
    age_years_min: int
    age_years_max: int
    amount_minor_min: int
    amount_minor_max: int
    purposes_excluded: tuple[str, ...]
    debt_service_ratio_max: Decimal
    other_lenders_max: int
    enquiries_30d_max: int
    probability_of_default_declined_from: Decimal
    probability_of_default_referred_from: Decimal


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """One application as risk sees it; amounts in minor units of one currency."""

    application_id: str
    product: str
    currency: str
    amount_minor: int
    instalments: int
    monthly_income_minor: int
    monthly_debt_payments_minor: int
    monthly_instalment_minor: int
    other_lenders: int
    enquiries_30d: int
    age_years: int
    attributes: dict[str, str]


class Reason(msgspec.Struct, frozen=True):
    """Why, with a stable code and words for the applicant."""

    code: str
    text_en: str
    text_zh: str


Rule = tuple[Callable[[Application, Policy], bool], Reason]

RULES: tuple[Rule, ...] = (
    (
        lambda a, p: not p.age_years_min <= a.age_years <= p.age_years_max,
        Reason("AGE_OUT_OF_RANGE", "Age outside the range of this product", "年龄不在产品范围内"),
    ),
    (
        lambda a, p: not p.amount_minor_min <= a.amount_minor <= p.amount_minor_max,
        Reason("AMOUNT_OUT_OF_RANGE", "Amount outside the allowed range", "金额不在允许范围内"),
    ),
    (
        lambda a, p: a.attributes.get("purpose", "") in p.purposes_excluded,
        Reason("PURPOSE_EXCLUDED", "We do not lend for this purpose", "贷款用途不予支持"),
    ),
    (
        lambda a, p: debt_service_ratio(a) > p.debt_service_ratio_max,
        Reason(
            "DEBT_SERVICE_TOO_HIGH", "Debt payments too high for the income", "负债还款占收入过高"
        ),
    ),
    (
        lambda a, p: a.other_lenders > p.other_lenders_max,
        Reason("TOO_MANY_LENDERS", "Loans with too many lenders at once", "多头借贷机构过多"),
    ),
    (
        lambda a, p: a.enquiries_30d > p.enquiries_30d_max,
        Reason("TOO_MANY_ENQUIRIES", "Too many recent credit enquiries", "近期征信查询过多"),
    ),
)


def debt_service_ratio(application: Application) -> Decimal:
    """Return payments on all debts, this loan's included, over income; 9 without income."""
    if application.monthly_income_minor <= 0:
        return Decimal(9)
    payments = application.monthly_debt_payments_minor + application.monthly_instalment_minor
    return Decimal(payments) / application.monthly_income_minor


def failed_rules(application: Application, policy: Policy) -> list[Reason]:
    """Return the reasons of all rules that the application fails, in the order of the rules."""
    return [reason for fails, reason in RULES if fails(application, policy)]
