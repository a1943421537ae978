"""Published figures of instalment loans: level and equal-principal tables, sums, costs."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from shared.kernel import rates
from tests.cases.inputs import Case, dec, first, level_loan


def _total_interest_pct(given: Case) -> Decimal:
    principal, rate, months = level_loan(given)
    interest = rates.level_payment(principal, rate, months) * months - principal
    return (interest + dec(given.get("prepaid_interest", 0))) / principal * 100


def _amortisation(given: Case) -> list[list[Any]]:
    principal, rate, months = level_loan(given)
    balance, rows = principal, []
    for number in range(1, months + 1):
        interest = balance * rate
        part = rates.principal_part(principal, rate, months, number)
        balance -= part
        rows.append([number, part, interest, balance])
    return rows


def _level(given: Case) -> Case:
    principal, rate, months = level_loan(given)
    payment = rates.level_payment(principal, rate, months)
    table = _amortisation(given)
    named = {"first": table[0], "second": table[1 % months], "last": table[-1]}
    found: Case = {
        "payment": payment,
        "total": payment * months,
        "interest": payment * months - principal,
    }
    for name, (_, part, interest, _) in named.items():
        found |= {f"{name}_principal": part, f"{name}_interest": interest}
    return _under_other_names(found)


def _equal_principal(given: Case) -> Case:
    principal, rate, months = level_loan(given)
    share = principal / months
    interest = principal * rate * (months + 1) / 2
    return _under_other_names(
        {
            "first": share + principal * rate,
            "second": share + (principal - share) * rate,
            "decrement": share * rate,
            "interest": interest,
            "total": principal + interest,
            "last": share + share * rate,
            "principal": share,
            "first_interest": principal * rate,
            "first_principal": share,
        }
    )


def _under_other_names(found: Case) -> Case:
    """Give totals the longer names that tables print as well."""
    longer = {"total": "total_payment", "interest": "total_interest", "payment": "monthly_payment"}
    return found | {long: found[name] for name, long in longer.items() if name in found}


def _flat_fee(given: Case) -> Case:
    """Return what a fee charged on the first principal costs, less any fee taken at the start."""
    principal, _, months = level_loan({"annual_rate": 0, **given})
    payment = principal / months + principal * dec(given["flat_monthly_fee_rate"])
    upfront = dec(given.get("upfront_fee", 0))
    rate = rates.irr([upfront - principal, *([payment] * months)])
    return {"nominal_apr_pct": rate * 1200, "effective_pct": ((1 + rate) ** 12 - 1) * 100}


def _between(given: Case) -> tuple[Decimal, Decimal]:
    """Return principal and interest of the instalments from one number to another."""
    principal, rate, months = level_loan(given)
    payment = rates.level_payment(principal, rate, months)
    start = first(given, "start", "start_period", "from", "period")
    end = first(given, "end", "end_period", "to", "period")
    numbers = range(int(start), int(end) + 1)
    parts = sum(
        (rates.principal_part(principal, rate, months, number) for number in numbers), Decimal(0)
    )
    return parts, payment * len(numbers) - parts


LOAN_FIGURES: dict[str, Callable[[Case], Any]] = {
    "level_payment": lambda g: rates.level_payment(*level_loan(g)),
    "principal_part": lambda g: _between(g)[0],
    "interest_part": lambda g: _between(g)[1],
    "cumulative_principal": lambda g: _between(g)[0],
    "cumulative_interest": lambda g: _between(g)[1],
    "total_interest_pct": _total_interest_pct,
    "amortisation_table": _amortisation,
    "dengebenxi": _level,
    "dengebenjin": _equal_principal,
    "flat_fee_to_irr": _flat_fee,
}
"""The function of each category."""

SIGNED = {name for name in LOAN_FIGURES if name.endswith(("payment", "part"))} | {
    "cumulative_principal",
    "cumulative_interest",
}
"""Categories that a spreadsheet prints as negative, being paid."""
