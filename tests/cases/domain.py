"""Published figures of lending, computed by the functions that the services use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from services.ledger.domain import policies
from services.ledger.domain.replay import penalty_interest
from shared.kernel import dates, rates
from tests.cases.annual_rates import apr_eu, apr_us
from tests.cases.risk import RISK_FIGURES

Case = dict[str, Any]
NOT_APPLICABLE = {
    "empirical_grade_outcomes": "figures of a data set, not of a rule",
}
_CN = {
    "NORMAL": "正常",
    "SPECIAL_MENTION": "关注",
    "SUBSTANDARD": "次级",
    "DOUBTFUL": "可疑",
    "LOSS": "损失",
}


def check_figure(case: Case) -> list[str]:
    """Compute one figure; returns what differs by more than the tolerance."""
    compute = FIGURES.get(case["category"])
    if compute is None:
        return [f"no function for {case['category']}"]
    found, wanted = compute(case["inputs"]), case["expected"]
    if case["category"] in ("irr", "xirr") and abs(wanted) > 1:
        found *= 100  # the source prints a percentage
    if case["category"] == "hhi" and wanted <= 1:
        found /= 10_000  # the source adds shares of one, not of a hundred
    return _differs("", wanted, found, float(case["tolerance"] or 0))


def _differs(place: str, wanted: Any, found: Any, tolerance: float) -> list[str]:
    """Compare figures, lists and tables of figures."""
    if isinstance(wanted, dict):
        return [
            d for k in wanted for d in _differs(f"{place}.{k}", wanted[k], found.get(k), tolerance)
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return [d for k, (w, f) in pairs for d in _differs(f"{place}[{k}]", w, f, tolerance)]
    if isinstance(wanted, int | float) and isinstance(found, int | float | Decimal | Fraction):
        near = abs(float(found) - wanted) <= tolerance * (1 + 1e-9) + 1e-12
        return [] if near else [f"{place} {wanted} expected, {float(found)} found"]
    return [] if wanted == found else [f"{place} {wanted} expected, {found} found"]


def _dec(value: Any) -> Decimal:
    return Decimal(str(value))


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _day_count(given: Case) -> Any:
    start, end = _day(given["start"]), _day(given["end"])
    stop = _day(given["termination"]) if given.get("termination") else None
    name = given["convention"].upper().replace("_", " ")
    days: dict[str, Callable[[], Any]] = {
        "30/360": lambda: dates.days_thirty_360(start, end),
        "30E/360": lambda: dates.days_thirty_e_360(start, end),
        "30E/360 ISDA": lambda: dates.days_thirty_e_360_isda(start, end, stop),
    }
    if name in days:
        return days[name]()
    kinds = {
        "ACT/ACT ISDA": dates.DayCount.ACT_ACT_ISDA,
        "ACT/360": dates.DayCount.ACT_360,
        "ACT/364": dates.DayCount.ACT_364,
        "ACT/365": dates.DayCount.ACT_365_FIXED,
        "ACT/365F": dates.DayCount.ACT_365_FIXED,
    }
    return dates.year_fraction(start, end, kinds[name])


def _monthly(given: Case) -> tuple[Decimal, Decimal, int]:
    rate = given.get("annual_rate", given.get("rate"))
    return _dec(given["principal"]), _dec(rate) / 12, int(given["months"])


def _total_interest_pct(given: Case) -> Decimal:
    principal, rate, months = _monthly(given)
    interest = rates.level_payment(principal, rate, months) * months - principal
    return (interest + _dec(given.get("prepaid_interest", 0))) / principal * 100


def _amortisation(given: Case) -> list[list[Any]]:
    principal, rate, months = _monthly(given)
    balance, rows = principal, []
    for number in range(1, months + 1):
        interest = balance * rate
        part = rates.principal_part(principal, rate, months, number)
        balance -= part
        rows.append([number, part, interest, balance])
    return rows


def _level(given: Case) -> Case:
    principal, rate, months = _monthly(given)
    payment = rates.level_payment(principal, rate, months)
    first = principal * rate
    return {
        "payment": payment,
        "total": payment * months,
        "interest": payment * months - principal,
        "first_interest": first,
        "first_principal": payment - first,
    }


def _equal_principal(given: Case) -> Case:
    principal, rate, months = _monthly(given)
    share = principal / months
    return {
        "first": share + principal * rate,
        "decrement": share * rate,
        "interest": principal * rate * (months + 1) / 2,
        "total": principal + principal * rate * (months + 1) / 2,
        "last": share + share * rate,
    }


def _irr(given: Case) -> Any:
    return rates.irr(given["cashflows"])


def _flat_fee(given: Case) -> Case:
    principal, months = _dec(given["principal"]), int(given["months"])
    payment = principal / months + principal * _dec(given["flat_monthly_fee_rate"])
    rate = rates.irr([-principal, *([payment] * months)])
    return {"nominal_apr_pct": rate * 1200, "effective_pct": ((1 + rate) ** 12 - 1) * 100}


def _buckets(given: Case) -> Case:
    days = int(given["dpd"])
    return {
        "metro2": policies.METRO_2.bucket(days),
        "cn_five_tier_floor": _CN[policies.FIVE_TIER.bucket(days)],
        "cn_card_tier": _CN[policies.CARD_TIER.bucket(days)],
        "pboc_code": policies.PBOC.bucket(days),
        "ifrs9_stage_backstop": int(policies.IFRS_9.bucket(days)[-1]),
        "rbi": policies.RBI.bucket(days),
        "m_bucket": policies.M.bucket(days),
    }


def _rbi_dates(given: Case) -> Case:
    """Return the day-ends of every bucket, under the names that people write them with."""
    due = _day(str(next(v for k, v in given.items() if "due" in k)))
    found = policies.bucket_dates(policies.RBI, due)
    named = {name: day.isoformat() for name, day in found.items()}
    plain = {name.replace("-", "").lower(): day for name, day in named.items()}
    under = {name.replace("-", "_").lower(): day for name, day in named.items()}
    upper = {name.upper(): day for name, day in plain.items()}
    return {**named, **plain, **under, **upper, "overdue": named["SMA-0"]}


def _method(given: Case) -> Case:
    due, on = _day(given["due"]), _day(given["asof_close_of_business"])
    return {
        "mba": policies.months_delinquent_mba(due, on),
        "ots": policies.months_delinquent_ots(due, on),
    }


def _interest_between(given: Case) -> Decimal:
    principal, rate, months = _monthly(given)
    payment = rates.level_payment(principal, rate, months)
    numbers = range(int(given["start"]), int(given["end"]) + 1)
    parts = [rates.principal_part(principal, rate, months, n) for n in numbers]
    return sum((payment - part for part in parts), Decimal(0))


def _penalty(given: Case) -> Fraction:
    rate = _dec(given["annual_rate"]) * _dec(given.get("multiplier", 1))
    principal = Fraction(_dec(given["overdue_principal"]))
    return penalty_interest(principal, Fraction(rate), given["days"], given["day_basis"])


FIGURES: dict[str, Callable[[Case], Any]] = {
    "day_count": _day_count,
    "level_payment": lambda g: rates.level_payment(*_monthly(g)),
    "principal_part": lambda g: rates.principal_part(*_monthly(g), int(g["period"])),
    "total_interest_pct": _total_interest_pct,
    "amortisation_table": _amortisation,
    "dengebenxi": _level,
    "dengebenjin": _equal_principal,
    "apr_actuarial_us": apr_us,
    "apr_eu": apr_eu,
    "irr": _irr,
    "xirr": lambda g: rates.xirr([(_day(d), a) for d, a in g["cashflows"]]),
    "flat_fee_to_irr": _flat_fee,
    "bucket_edges": _buckets,
    "sma_npa_dates": _rbi_dates,
    "rbi_dates": _rbi_dates,
    "delinquency_method": _method,
    "cumulative_interest": _interest_between,
    "penalty_interest": _penalty,
    **RISK_FIGURES,
}
"""The function of each category."""
