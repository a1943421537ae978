"""Why a figure is what it is: a tree down to terms, dates and events that anyone can recompute."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from services.ledger.domain.cure import days_counted, days_paused
from services.ledger.domain.delinquency import standing_of
from services.ledger.domain.penalty import penalty_year
from services.ledger.domain.refusals import FigureUnknown
from services.ledger.domain.timeline import Charge, Row, Timeline, interest_earned
from services.ledger.domain.waterfall import Component

Node = dict[str, Any]


def explain(line: Timeline, figure: str) -> Node:
    """
    Explain one figure of a loan on the timeline's date.

    Args:
        line: The loan on a date.
        figure: One of FIGURES.
    Returns:
        A tree of nodes {op, label, value, of}; `shared.audit.evaluate` recomputes it.
    Raises:
        FigureUnknown: no such figure.
    """
    if figure not in FIGURES:
        raise FigureUnknown(
            f"{figure[:40]!r} is not a figure", field="figure", expected=", ".join(sorted(FIGURES))
        )
    if line.returned_on is not None:
        source = f"rule: the bank sent the payout back on {line.returned_on}, nothing is owed of it"
        return given(figure.replace("_", " "), 0, source)
    return FIGURES[figure](line)


def given(label: str, value: int | Fraction, source: str) -> Node:
    """Return a leaf: a value and where it comes from."""
    return {"op": "given", "label": label, "value": str(value), "from": source}


def combined(op: str, label: str, parts: list[Node], value: int | Fraction, **more: str) -> Node:
    """Return an inner node over its parts."""
    return {"op": op, "label": label, "value": str(value), "of": parts, **more}


def total(label: str, parts: list[Node]) -> Node:
    """Return the sum of parts; the sum of none is 0."""
    return combined("sum", label, parts, sum((Fraction(p["value"]) for p in parts), Fraction(0)))


def less(label: str, whole: Node, parts: list[Node]) -> Node:
    """Return a whole less its parts."""
    value = Fraction(whole["value"]) - sum((Fraction(p["value"]) for p in parts), Fraction(0))
    return combined("minus", label, [whole, *parts], value)


def at_least_zero(label: str, node: Node) -> Node:
    """Return a node, or 0 where it would be below."""
    zero = given("nothing", 0, "rule: never below zero")
    return combined("most", label, [node, zero], max(Fraction(node["value"]), Fraction(0)))


def paid(line: Timeline, number: int, component: Component) -> list[Node]:
    """Return one leaf per fact that paid this slot, by fact id."""
    return [
        given(f"{component} of {number} paid", slot.amount_minor, f"event:{fact_id}")
        for fact_id, slots in line.allocations
        for slot in slots
        if slot.instalment == number and slot.component is component
    ]


def _due(row: Row, what: str, amount: int) -> Node:
    source = f"terms: instalment {row.number}, due {row.due_on}"
    return given(f"{what} due of {row.number}", amount, source)


def _principal(line: Timeline, rows: list[Row], label: str) -> Node:
    return _unpaid(line, [(row, row.principal_due) for row in rows], Component.PRINCIPAL, label)


def _interest(line: Timeline, rows: list[Row], label: str) -> Node:
    return _unpaid(line, [(row, row.interest_due) for row in rows], Component.INTEREST, label)


def _unpaid(line: Timeline, dues: list[tuple[Row, int]], component: Component, label: str) -> Node:
    """Sum what is due of a component, row by row, less what each fact paid of it."""
    word = component.lower()
    parts = [
        less(
            f"{word} of {row.number}",
            _due(row, word, due),
            paid(line, row.number, component),
        )
        for row, due in dues
    ]
    return total(label, parts)


def _penalty(line: Timeline) -> Node:
    """Explain penalty interest: per instalment, principal times days times rate over the year."""
    year = penalty_year(line.terms.day_count)
    parts = []
    for row in line.rows:
        if not row.penalty_runs or not line.penalty_due(row):
            continue
        rate = given("penalty rate", Fraction(line.terms.penalty_rate_annual), "terms")
        runs = [_run(row, principal, days, rate, year) for principal, days in row.penalty_runs]
        exact = total(f"penalty interest of {row.number}, exact", runs)
        due = combined(
            "round",
            f"penalty interest of {row.number}",
            [exact],
            line.penalty_due(row),
            mode=line.terms.rounding,
        )
        already = given(f"penalty of {row.number} paid", row.penalty_paid, "events")
        parts.append(at_least_zero("owed", less(f"penalty owed of {row.number}", due, [already])))
    return total("penalty outstanding", parts)


def _run(row: Row, principal: int, days: int, rate: Node, year: int) -> Node:
    money = given(f"overdue principal of {row.number}", principal, "events")
    count = given("days", days, "dates")
    factor = Fraction(rate["value"]) * principal * days
    product = combined("times", "principal x rate x days", [money, rate, count], factor)
    basis = given("days in a year", year, "terms: day count")
    return combined("over", "for the days", [product, basis], factor / year)


def _charges(line: Timeline) -> Node:
    def owed(charge: Charge) -> Node:
        amount = given(f"{charge.component} due {charge.due_on}", charge.due, charge.fact_id)
        done = given("paid of it", charge.paid, "events")
        return less("charge unpaid", amount, [done])

    return total("charges outstanding", [owed(charge) for charge in line.charges])


def _interest_owed(line: Timeline) -> Node:
    def earned(row: Row) -> Node:
        whole = line.terms.rebate_unearned
        amount = interest_earned(row, line.on, line.terms) if whole else row.interest_due
        rule = "rule: earned by this date" if whole else "rule: all contract interest"
        leaf = given(f"interest of {row.number}", amount, rule)
        already = total(
            f"interest of {row.number} paid", paid(line, row.number, Component.INTEREST)
        )
        if not whole:
            return less("interest owed", leaf, [already])
        return at_least_zero("owed", less("interest owed", leaf, [already]))

    return at_least_zero("interest owed", total("interest", [earned(row) for row in line.rows]))


def _payoff(line: Timeline) -> Node:
    parts = [
        _principal(line, line.rows, "principal outstanding"),
        _interest_owed(line),
        _penalty(line),
        _charges(line),
    ]
    if line.terms.prepayment_fee_rate:
        parts.append(_prepayment_fee(line))
    owed = total("payoff", parts)
    if line.terms.overpayment != "CREDIT" and not line.credit:
        return owed
    return less("payoff", owed, [given("credit balance", line.credit, "events")])


def _prepayment_fee(line: Timeline) -> Node:
    """Explain what the borrower would owe for paying principal before it is due."""
    if line.charged_off_on is not None:
        return given("prepayment fee", 0, "rule: none after the charge-off")
    coming = [row for row in line.rows if row.due_on > line.on]
    ahead = _principal(line, coming, "principal not due yet")
    rate = given("prepayment fee rate", Fraction(line.terms.prepayment_fee_rate), "terms")
    exact = Fraction(ahead["value"]) * Fraction(rate["value"])
    fee = combined("times", "principal x rate", [ahead, rate], exact)
    due = line.prepayment_fee(line.principal_ahead)
    return combined("round", "prepayment fee", [fee], due, mode=line.terms.rounding)


def _days_past_due(line: Timeline) -> Node:
    if not line.overdue:
        return given("days past due", 0, "rule: nothing is overdue")
    return _days("days past due", line)


def _days(label: str, line: Timeline) -> Node:
    oldest, on = line.overdue[0].due_on, line.on
    count = str((on - oldest).days)
    return {"op": "days", "label": label, "value": count, "from": f"{oldest}", "to": f"{on}"}


def _days_counted(line: Timeline) -> Node:
    if not line.overdue:
        return given("days counted", 0, "rule: nothing is overdue")
    oldest = line.overdue[0].due_on
    off = [
        given("days paused", days_paused(line.pauses, oldest, line.on), "events: pauses"),
        given("days not counted", line.terms.delinquency.uncounted_days, "policy"),
    ]
    node = at_least_zero("days counted", less("days", _days("days past due", line), off))
    assert Fraction(node["value"]) == days_counted(line, oldest)
    return node


def _arrears(line: Timeline) -> Node:
    late = line.overdue
    charges = given("charges overdue", standing_of(line).charges_overdue_minor, "events")
    principal = _principal(line, late, "principal overdue")
    return total("arrears", [principal, _interest(line, late, "interest overdue"), charges])


FIGURES: dict[str, Callable[[Timeline], Node]] = {
    "principal_outstanding": lambda line: _principal(line, line.rows, "principal outstanding"),
    "principal_overdue": lambda line: _principal(line, line.overdue, "principal overdue"),
    "interest_overdue": lambda line: _interest(line, line.overdue, "interest overdue"),
    "penalty_outstanding": _penalty,
    "fees_outstanding": _charges,
    "payoff": _payoff,
    "arrears": _arrears,
    "days_past_due": _days_past_due,
    "days_counted": _days_counted,
}
"""The figures that can be explained."""


def figures(line: Timeline) -> dict[str, int]:
    """Return every explainable figure as the API states it; minor units or days."""
    standing = standing_of(line)
    return {
        "principal_outstanding": line.principal_outstanding,
        "principal_overdue": standing.principal_overdue_minor,
        "interest_overdue": standing.interest_overdue_minor,
        "penalty_outstanding": line.penalty_outstanding,
        "fees_outstanding": line.charges_outstanding,
        "payoff": line.payoff,
        "arrears": standing.arrears_minor,
        "days_past_due": standing.days_past_due,
        "days_counted": days_counted(line, line.overdue[0].due_on) if line.overdue else 0,
    }
