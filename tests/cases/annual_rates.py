"""Published annual percentage rates: what a case says, as the flows that the rate is of."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction
from typing import Any

from shared.kernel import rates
from shared.kernel.unit_periods import months_back, single_period, unit_periods
from tests.cases.inputs import Case, day, first


def apr_us(given: Case) -> float:
    """Return the actuarial rate in percent (Regulation Z, Appendix J)."""
    payments = _payments(given)
    per_year, whole, odd = _first_period(given, single=len(payments) == 1)
    flows = [rates.Flow(whole + k, odd, amount) for k, amount in enumerate(payments)]
    advance = float(first(given, "advance", "amount_financed", "principal", "amount"))
    return rates.apr_actuarial([rates.Flow(0, 0.0, advance)], flows, per_year) * 100


def _payments(given: Case) -> list[float]:
    """Return every payment: an odd first one, the regular ones, an odd last one."""
    odd = "first_payment" in given or "final_payment" in given
    regular = int(given.get("n_regular", given.get("n", 0 if odd else 1)))
    amounts = [float(given["payment"])] * regular
    if "first_payment" in given:
        amounts = [float(given["first_payment"]), *amounts]
    if "final_payment" in given:
        amounts = [*amounts, float(given["final_payment"])]
    return amounts


def _first_period(given: Case, single: bool) -> tuple[float, int, float]:
    """Return unit periods a year, and whole ones and the odd part before the first payment."""
    if "t" in given:
        per_year = float(Fraction(str(given["w"])))
        return per_year, int(given["t"]), float(Fraction(str(given.get("f", 0))))
    if single and "w" not in given:
        return _single_period(given)
    per_year = float(Fraction(str(given["w"])))
    advance, due = _advanced_and_due(given)
    if per_year != int(per_year):
        return per_year, 1, 0.0
    return per_year, *unit_periods(advance, due, int(per_year))


def _single_period(given: Case) -> tuple[float, int, float]:
    """Return the unit period of a loan with one payment: its term, up to a year."""
    if "days" in given:
        return 365 / int(given["days"]), 1, 0.0
    return single_period(*_advanced_and_due(given))


def _advanced_and_due(given: Case) -> tuple[date, date]:
    due = first(given, "first_due", "due", "due_date", "payment_date", "first_payment_date")
    return day(given["advance_date"]), day(due)


def apr_eu(given: Case) -> float:
    """Return the annual percentage rate of charge in percent (Directive 2008/48/EC, Annex I)."""
    out = float(given["drawdown"]) - float(given.get("fee_withheld", 0))
    flows: list[tuple[float, rates.Number]] = [(0.0, -out)]
    for amount, when in given["repay"]:
        flows.append((_years(given, when), float(amount)))
    return rates.irr_at(flows) * 100


def _years(given: Case, when: Any) -> float:
    """Return years to a repayment: given, or days over the year that the basis names."""
    if not isinstance(when, str):
        return float(when)
    start, end = day(first(given, "date", "drawdown_date", "start")), day(when)
    basis = str(given.get("basis", ""))
    if "month" in basis:
        months, days = months_back(start, end)
        return months / 12 + days / 365
    if told := re.match(r"([\d.]+) years?", basis):
        return float(told[1])
    year = re.search(r"\b36[0-6](?:\.\d+)?", basis)
    return (end - start).days / float(year[0] if year else 365)
