"""What a case gives, whatever its source calls it."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

Case = dict[str, Any]
_MISSING = object()


def first(given: Case, *names: str, default: Any = _MISSING) -> Any:
    """Return the first of these inputs that is given."""
    for name in names:
        if given.get(name) is not None:
            return given[name]
    if default is _MISSING:
        raise KeyError(f"none of {', '.join(names)} is given")
    return default


def dec(value: Any) -> Decimal:
    """Read a number as it is written."""
    return Decimal(str(value))


def day(text: str) -> date:
    """Read an ISO date."""
    return date.fromisoformat(text)


def level_loan(given: Case) -> tuple[Decimal, Decimal, int]:
    """Read principal, rate per period and number of periods; periods are months unless said."""
    principal = dec(first(given, "principal", "loan", "amount", "pv"))
    years = first(given, "years", default=None)
    count = first(given, "months", "n", "periods", "nper", default=None)
    number = int(count) if count is not None else int(years * 12)
    per_period = first(given, "monthly_rate", "rate_per_period", "periodic_rate", default=None)
    if per_period is not None:
        return principal, dec(per_period), number
    percent = first(given, "annual_rate_pct", "rate_pct", default=None)
    annual = dec(percent) / 100 if percent is not None else dec(first(given, "annual_rate", "rate"))
    return principal, annual / dec(first(given, "periods_per_year", default=12)), number


def convention(text: str) -> str:
    """
    Return a day count's plain name: its spelling in capitals, without brackets and separators.

    Bond basis is 30/360, Eurobond basis 30E/360; actual/actual alone is the ISDA one.
    """
    name = re.sub(r"[\s()_.\-]+", "", text.upper()).replace("ACTUAL", "ACT")
    name = name.replace("FIXED", "F").replace("GERMAN", "ISDA")
    if "EUROBOND" in name:
        return "30E/360"
    if "BONDBASIS" in name:
        return "30/360"
    return {"30/360ISDA": "30/360", "ACT/ACT": "ACT/ACTISDA", "ACT/365F": "ACT/365"}.get(name, name)
