"""The settings of a published loan as the ledger's own terms."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.ledger.domain.policies import DelinquencyPolicy, Scheme
from services.ledger.domain.terms import Overpayment, RepaymentMethod, ShortMonth, Terms
from services.ledger.domain.waterfall import (
    Component,
    DueBucket,
    FutureRule,
    PaymentSource,
    Stage,
    Waterfall,
)
from shared.kernel.dates import DayCount, due_date, month_end
from shared.kernel.money import Rounding, parse_amount

CURRENCY = "EUR"
SOURCES = {
    "REPAYMENT": PaymentSource.BORROWER,
    "DEFAULT": PaymentSource.BORROWER,
    "GOODWILL_CREDIT": PaymentSource.GOODWILL,
    "MERCHANT_ISSUED_REFUND": PaymentSource.MERCHANT_REFUND,
    "PAYOUT_REFUND": PaymentSource.PAYOUT_REFUND,
}
RULES = {
    "NEXT_INSTALLMENT": FutureRule.NEXT,
    "LAST_INSTALLMENT": FutureRule.LAST,
    "REAMORTIZATION": FutureRule.SPREAD,
}
UNITS = {"DAYS": 1, "WEEKS": 7, "MONTHS": 1, "YEARS": 12}
_B = DueBucket


def terms_of(
    case: dict[str, Any],
    disbursed: list[tuple[date, str]],
    rules: dict[str, str],
    dates: list[date] | None,
) -> Terms:
    """Return the terms of a case whose money goes out as `disbursed`."""
    product, loan = case["product"], case["loan"]
    start = disbursed[0][0]
    period_from = date.fromisoformat(loan["period_from"]) if "period_from" in loan else start
    progressive = product["schedule_type"] == "PROGRESSIVE"
    flat = loan["interest_type"] == "FLAT"
    return Terms(
        currency=CURRENCY,
        principal_minor=sum(parse_amount(amount, CURRENCY) for _, amount in disbursed),
        rate_annual=Decimal(loan["annual_rate_pct"]) / 100,
        method=_method(loan, flat),
        day_count=_day_count(product, loan, loan["repayment_every"][1]),
        **_dates(product, loan, period_from, dates),
        interest_from=period_from if period_from != start else None,
        grace_days=0,
        penalty_rate_annual=Decimal(0),
        rounding=Rounding(product.get("rounding") or "HALF_EVEN"),
        disbursements_max=max(len(disbursed), 2),
        down_payment_rate=Decimal(product.get("down_payment_pct") or 0) / 100,
        principal_grace_instalments=loan.get("grace_on_principal") or 0,
        **_interest_graces(loan),
        instalment_multiple_minor=_multiple(product, loan, flat),
        even_out_last=progressive and not flat,
        waterfall=waterfall_of(product, loan.get("payment_strategy", ""), rules),
        overpayment=Overpayment.CREDIT,
        rebate_unearned=False,
        delinquency=delinquency_of(case),
    )


def _dates(
    product: dict[str, Any], loan: dict[str, Any], start: date, given: list[date] | None
) -> dict[str, Any]:
    """Read how often instalments fall due; dates that are given count where they differ."""
    every, unit = loan["repayment_every"]
    by_months, step = unit in ("MONTHS", "YEARS"), every * UNITS[unit]
    count = _count(loan)
    at_month_end = product.get("month_end_due_date") == "LAST_DAY_OF_MONTH"
    due_day = 31 if at_month_end and start == month_end(start) else start.day
    rolls = by_months and product.get("month_end_due_date") == "FIRST_DAY_OF_NEXT_MONTH"
    if by_months:
        derived = [due_date(start, k * step, due_day, rolls) for k in range(1, count + 1)]
    else:
        derived = [start + timedelta(days=step * k) for k in range(1, count + 1)]
    agreed = given if given and len(given) == count else derived
    return {
        "instalments": count,
        "months_per_instalment": step if by_months else 0,
        "days_per_instalment": 0 if by_months else step,
        "first_due_on": agreed[0],
        "due_day": due_day if by_months and agreed == derived else 0,
        "short_month": ShortMonth.FIRST_OF_NEXT if rolls else ShortMonth.LAST_DAY,
        "due_dates": () if agreed == derived else tuple(agreed),
    }


def _interest_graces(loan: dict[str, Any]) -> dict[str, int]:
    """
    Read how many first instalments carry no interest, as the source's own steps send it on.

    They send the interest-free column as the grace on interest, which defers it, and send on
    neither the grace column nor an interest-free period.
    """
    return {"interest_grace_instalments": loan.get("interest_free_period") or 0}


def _multiple(product: dict[str, Any], loan: dict[str, Any], flat: bool) -> int:
    """Return what instalments are rounded to; equal shares of principal are not."""
    shares = _method(loan, flat) is RepaymentMethod.EQUAL_PRINCIPAL
    multiple = None if shares else product["instalment_multiple_of"]
    return parse_amount(multiple or "0.01", CURRENCY)


def _count(loan: dict[str, Any]) -> int:
    return int(loan["number_of_repayments"])


def _method(loan: dict[str, Any], flat: bool) -> RepaymentMethod:
    if flat:
        return RepaymentMethod.FLAT
    if loan["amortization_type"].startswith("EQUAL_PRINCIPAL"):
        return RepaymentMethod.EQUAL_PRINCIPAL
    return RepaymentMethod.LEVEL_INSTALMENT


def _day_count(product: dict[str, Any], loan: dict[str, Any], unit: str) -> DayCount:
    """Read days in month and year; the cumulative kind counts 365 days even in leap years."""
    progressive = product["schedule_type"] == "PROGRESSIVE"
    same_period = loan["interest_calculation_period"] == "SAME_AS_REPAYMENT_PERIOD"
    if product["days_in_month"] == "30":
        return DayCount.PERIOD_360
    if not progressive and same_period:
        by_months = unit in ("MONTHS", "YEARS")
        weeks = DayCount.ACT_364 if unit == "WEEKS" else DayCount.ACT_365_FIXED
        return DayCount.PERIOD_360 if by_months else weeks
    fixed = {"360": DayCount.ACT_360, "364": DayCount.ACT_364, "365": DayCount.ACT_365_FIXED}
    if product["days_in_year"] in fixed:
        return fixed[product["days_in_year"]]
    return DayCount.ACT_ACT_NIGHT if progressive else DayCount.ACT_365_FIXED


def _components(text: str) -> tuple[Component, ...]:
    """Read component names in order, in any plural and with any separator."""
    return tuple(Component(w) for w in re.findall(r"PENALTY|FEE|INTEREST|PRINCIPAL", text))


def waterfall_of(product: dict[str, Any], strategy: str, rules: dict[str, str]) -> Waterfall:
    """Read a payment strategy: an order per bucket, or one order per instalment."""
    text = strategy.upper().replace("PENALTIES", "PENALTY")
    every = (_B.PAST_DUE, _B.DUE, _B.IN_ADVANCE)
    stages: tuple[Stage, ...]
    if "allocation_order" in product:
        stages = _stages(product["allocation_order"])
    elif "_IN_ADVANCE_" in text:
        due, ahead = text.split("_IN_ADVANCE_")
        stages = (
            Stage((_B.PAST_DUE, _B.DUE), _components(due)),
            Stage((_B.IN_ADVANCE,), _components(ahead)),
        )
    else:
        stages = (Stage(every, _components(text)),)
    given = {**(product.get("future_instalment_rule") or {}), **rules}
    return Waterfall(
        "case/1",
        stages,
        vertical=product.get("schedule_processing") == "VERTICAL",
        charges_with_instalment="allocation_order" in product,
        future=RULES[given.get("DEFAULT", "NEXT_INSTALLMENT")],
        future_by_source=tuple(
            (SOURCES[kind], RULES[rule])
            for kind, rule in sorted(given.items())
            if kind in SOURCES and kind != "DEFAULT"
        ),
    )


def _stages(order: str) -> tuple[Stage, ...]:
    """Read such as "PAST_DUE, DUE, IN_ADVANCE each: penalty, fee, principal, interest"."""
    buckets, _, parts = order.upper().partition("EACH:")
    names = re.findall(r"PAST_DUE|IN_ADVANCE|DUE", buckets)
    return tuple(Stage((DueBucket(name),), _components(parts)) for name in names)


def delinquency_of(case: dict[str, Any]) -> DelinquencyPolicy:
    """Read the ranges of a case as one scheme; the grace days are a reporting convention."""
    ranges = case.get("delinquency_bucket") or []
    edges = [(0, "NO_DELINQUENCY"), *((r["min_days"], r["name"]) for r in ranges)]
    grace = case["product"].get("delinquency_grace_days") or 0
    return DelinquencyPolicy("case/1", (Scheme("range", tuple(edges)),), uncounted_days=grace)
