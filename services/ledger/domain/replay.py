"""Walk a loan's facts in the order in which they count, and let each do its work once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from fractions import Fraction

import msgspec

from services.ledger.domain.terms import Terms
from services.ledger.domain.timeline import (
    Allocation,
    Component,
    FactKind,
    MoneyFact,
    Row,
    Timeline,
    interest_earned,
    rows_of,
)
from shared.kernel.dates import DayCount


def timeline(
    terms: Terms, disbursed_on: date, facts: Iterable[MoneyFact], effective_on: date
) -> Timeline:
    """
    Derive a loan on one date from its terms and facts.

    Args:
        terms: The contract as first agreed.
        disbursed_on: Interest runs from here.
        facts: In any order; those counting after `effective_on` are left out.
        effective_on: The date to look at, not before `disbursed_on`.
    Returns:
        The Timeline: rows oldest first, balances, allocations by fact id, books by account.
    """
    line = Timeline(terms=terms, on=disbursed_on, rows=rows_of(terms, disbursed_on))
    _book(line, "loans:principal", terms.principal_minor, "assets:cash")
    for fact in sorted(facts, key=lambda f: (f.effective_on, f.version)):
        if fact.effective_on <= effective_on:
            _walk(line, fact.effective_on)
            _apply(line, fact)
    _walk(line, max(effective_on, disbursed_on))
    return line


def _walk(line: Timeline, to_on: date) -> None:
    """Accrue penalty interest on overdue principal from each due date to `to_on`."""
    if to_on <= line.on:
        return
    rate = Fraction(line.terms.penalty_rate_annual)
    year = 360 if line.terms.day_count is DayCount.THIRTY_360 else 365
    for row in line.rows:
        if rate and row.due_on < to_on and row.principal_unpaid > 0:
            days = (to_on - max(row.due_on, line.on)).days
            row.penalty_exact += rate * row.principal_unpaid * days / year
    line.on = to_on


def _apply(line: Timeline, fact: MoneyFact) -> None:
    """Let one fact change the line."""
    if fact.kind in (FactKind.REPAYMENT, FactKind.RECOVERY):
        _receive(line, fact)
    elif fact.kind is FactKind.CHARGE:
        line.fees_due += fact.amount_minor
    elif fact.kind is FactKind.RESTRUCTURE:
        _restructure(line, fact)
    elif fact.kind is FactKind.CHARGE_OFF:
        line.charged_off_principal = line.principal_outstanding
        line.charged_off_on = fact.effective_on
        _book(line, "expense:charge_offs", line.principal_outstanding, "loans:principal")


_INCOME = {
    Component.PENALTY: "income:penalty",
    Component.FEE: "income:fees",
    Component.INTEREST: "income:interest",
    Component.PRINCIPAL: "loans:principal",
}


def _receive(line: Timeline, fact: MoneyFact) -> None:
    """Allocate money, oldest instalment first, and book it."""
    money = fact.amount_minor + line.unallocated
    if line.unallocated:
        _book(line, "liabilities:unallocated", line.unallocated, "assets:cash")
    if money >= line.payoff:
        _forgive_unearned_interest(line)
    slots: list[Allocation] = []
    for row in [row for row in line.rows if row.due_on <= line.on]:
        money = _pay_row(line, row, money, slots)
    money = _pay_fees(line, money, slots)
    for row in [row for row in line.rows if row.due_on > line.on]:
        money = _pay_row(line, row, money, slots)
    line.unallocated = money
    line.allocations[fact.fact_id] = tuple(slots)
    for slot in slots:
        charged_off = line.charged_off_on is not None
        account = "income:recoveries" if charged_off else _INCOME[slot.component]
        _book(line, "assets:cash", slot.amount_minor, account)
    if money:
        _book(line, "assets:cash", money, "liabilities:unallocated")
    line.received += fact.amount_minor
    if fact.kind is FactKind.RECOVERY:
        line.recovered += fact.amount_minor


def _pay_row(line: Timeline, row: Row, money: int, slots: list[Allocation]) -> int:
    """Pay one row: penalty, then interest, then principal; return the money left."""
    late = row.due_on < line.on
    penalty = min(money, max(0, line.penalty_due(row) - row.penalty_paid)) if late else 0
    row.penalty_paid += penalty
    interest = max(0, min(money - penalty, row.interest_due - row.interest_paid))
    row.interest_paid += interest
    principal = min(money - penalty - interest, row.principal_unpaid)
    row.principal_paid += principal
    if row.paid_on is None and row.unpaid <= 0:
        if (line.on - row.due_on).days <= line.terms.grace_days:
            row.penalty_exact = Fraction(0)
        row.paid_on = line.on
    parts = (
        (Component.PENALTY, penalty),
        (Component.INTEREST, interest),
        (Component.PRINCIPAL, principal),
    )
    slots.extend(Allocation(row.number, part, amount) for part, amount in parts if amount)
    return money - penalty - interest - principal


def _pay_fees(line: Timeline, money: int, slots: list[Allocation]) -> int:
    """Pay charges of the loan; return the money left."""
    fees = min(money, line.fees_due - line.fees_paid)
    line.fees_paid += fees
    if fees:
        slots.append(Allocation(0, Component.FEE, fees))
    return money - fees


def _forgive_unearned_interest(line: Timeline) -> None:
    """On full prepayment interest is owed for the days that money was out (Civil Code 677)."""
    for row in line.rows:
        earned = interest_earned(row, line.on, line.terms.day_count)
        row.interest_due = max(row.interest_paid, earned)


def _restructure(line: Timeline, fact: MoneyFact) -> None:
    """Close old rows at what was paid; carry what is owed into a new schedule."""
    assert fact.terms is not None
    day_count = line.terms.day_count
    earned = sum(interest_earned(row, line.on, day_count) for row in line.rows)
    carried = earned - sum(row.interest_paid for row in line.rows)
    principal = line.principal_outstanding
    for row in line.rows:
        row.principal_due, row.interest_due = row.principal_paid, row.interest_paid
        if row.paid_on is None and row.due_on <= line.on:
            row.paid_on = line.on
    kept = [row for row in line.rows if row.due_on <= line.on or row.principal_due]
    number = max((row.number for row in kept), default=0) + 1
    terms = _with_principal(fact.terms, principal)
    fresh = rows_of(terms, line.on, number)
    for row in fresh:
        shift = max(-row.interest_due, carried)
        row.interest_due += shift
        carried -= shift
    line.rows, line.terms = [*kept, *fresh], terms


def _with_principal(terms: Terms, principal_minor: int) -> Terms:
    return msgspec.structs.replace(terms, principal_minor=principal_minor)


def _book(line: Timeline, debit: str, amount_minor: int, credit: str) -> None:
    """Move an amount between two accounts of the books: always zero-sum."""
    line.books[debit] = line.books.get(debit, 0) + amount_minor
    line.books[credit] = line.books.get(credit, 0) - amount_minor
