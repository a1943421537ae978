"""Published figures of lending, computed by the functions that the services use."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from services.ledger.domain import policies
from services.ledger.domain.penalty import penalty_interest
from shared.kernel import dates, rates
from tests.cases.annual_rates import apr_eu, apr_us
from tests.cases.inputs import Case, convention, day, dec, first
from tests.cases.instalments import LOAN_FIGURES, SIGNED
from tests.cases.risk import RISK_FIGURES

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
    compute = function_of(case["category"])
    if compute is None:
        return [f"no function for {case['category']}"]
    found, wanted = compute(case["inputs"]), case["expected"]
    if case["category"] in SIGNED and wanted < 0:
        found = -found  # a spreadsheet prints what is paid as negative
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


def _day_count(given: Case) -> Any:
    start, end = day(given["start"]), day(given["end"])
    stop = day(given["termination"]) if given.get("termination") else None
    name = convention(given["convention"])
    days: dict[str, Callable[[], Any]] = {
        "30/360": lambda: dates.days_thirty_360(start, end),
        "30E/360": lambda: dates.days_thirty_e_360(start, end),
        "30E/360ISDA": lambda: dates.days_thirty_e_360_isda(start, end, stop),
    }
    if name in days:
        return days[name]()
    kinds = {
        "ACT/ACTISDA": dates.DayCount.ACT_ACT_ISDA,
        "ACT/360": dates.DayCount.ACT_360,
        "ACT/364": dates.DayCount.ACT_364,
        "ACT/365": dates.DayCount.ACT_365_FIXED,
    }
    return dates.year_fraction(start, end, kinds[name])


def _irr(given: Case) -> Any:
    return rates.irr(given["cashflows"])


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


class _ByBucket(dict[str, str]):
    """Day-ends by bucket, found under any spelling of its name; the day overdue is SMA-0's."""

    def get(self, name: str, default: Any = None) -> Any:
        plain = re.sub(r"[^a-z0-9]", "", name.lower())
        return next((self[known] for known in self if known in plain), self["sma0"])


def _rbi_dates(given: Case) -> Any:
    """Return the day-ends of every bucket, or the bucket on a given day-end."""
    on = {name: day(text) for name, text in given.items() if _is_date(text)}
    due = next((on[name] for name in on if "due" in name), min(on.values()))
    other = [found for found in on.values() if found != due]
    if other:
        return policies.RBI.bucket((other[0] - due).days)
    found = policies.bucket_dates(policies.RBI, due)
    return _ByBucket({name.replace("-", "").lower(): d.isoformat() for name, d in found.items()})


def _is_date(text: Any) -> bool:
    return isinstance(text, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is not None


def _method(given: Case) -> Case:
    due = day(first(given, "due", "due_date", "first_due"))
    on = day(first(given, "asof_close_of_business", "asof", "as_of", "on"))
    return {
        "mba": policies.months_delinquent_mba(due, on),
        "ots": policies.months_delinquent_ots(due, on),
    }


def _penalty(given: Case) -> Fraction:
    rate = dec(first(given, "annual_rate", "rate")) * dec(given.get("multiplier", 1))
    principal = Fraction(dec(first(given, "overdue_principal", "overdue_amount", "principal")))
    year = int(first(given, "day_basis", "basis", default=360))
    return penalty_interest(principal, Fraction(rate), int(given["days"]), year)


FIGURES: dict[str, Callable[[Case], Any]] = {
    "day_count": _day_count,
    "apr_actuarial_us": apr_us,
    "apr_eu": apr_eu,
    "irr": _irr,
    "xirr": lambda g: rates.xirr([(day(d), a) for d, a in g["cashflows"]]),
    "bucket_edges": _buckets,
    "sma_npa_dates": _rbi_dates,
    "rbi_dates": _rbi_dates,
    "delinquency_method": _method,
    "penalty_interest": _penalty,
    **LOAN_FIGURES,
    **RISK_FIGURES,
}
"""The function of each category."""

_WORDS = {
    "day_count": ("daycount", "year_fraction"),
    "rbi_dates": ("rbi", "sma_", "npa"),
    "ecl_lifetime": ("lifetime",),
    "ecl_12m": ("ecl", "12m"),
    "provision_matrix": ("provision",),
    "loss_rate": ("loss_rate",),
    "irb_rw_pct": ("irb", "risk_weight"),
    "psi": ("psi", "stability"),
    "hhi": ("hhi", "herfindahl"),
    "xirr": ("xirr",),
    "irr": ("irr",),
    "penalty_interest": ("penalty",),
    "bucket_edges": ("bucket", "dpd"),
    "delinquency_method": ("mba", "ots"),
    "apr_eu": ("apr_eu", "aprc"),
    "apr_actuarial_us": ("apr",),
}


def function_of(category: str) -> Callable[[Case], Any] | None:
    """Return the function of a category, known by its name or else by a word in it."""
    words = (name for name, found in _WORDS.items() if any(w in category.lower() for w in found))
    return FIGURES.get(category) or FIGURES.get(next(words, ""))
