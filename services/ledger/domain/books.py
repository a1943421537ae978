"""The double-entry picture of a timeline: every move is between two accounts."""

from __future__ import annotations

from services.ledger.domain import chart
from services.ledger.domain.chart import POSTING_POLICIES, PostingPolicy
from services.ledger.domain.timeline import Allocation, Charge, Timeline, interest_earned
from services.ledger.domain.waterfall import Component, PaymentSource


def policy_of(line: Timeline) -> PostingPolicy:
    """Return the posting policy of a loan's terms."""
    return POSTING_POLICIES[line.terms.posting_policy]


def book(line: Timeline, debit: str, amount_minor: int, credit: str) -> None:
    """Move an amount between two accounts of the books: always zero-sum."""
    line.books[debit] = line.books.get(debit, 0) + amount_minor
    line.books[credit] = line.books.get(credit, 0) - amount_minor


def book_out(line: Timeline, amount_minor: int) -> None:
    """Book money paid out to the borrower."""
    book(line, chart.PRINCIPAL, amount_minor, chart.CASH)


def book_payment(
    line: Timeline, slots: tuple[Allocation, ...], left: int, source: PaymentSource
) -> None:
    """Book where a payment went; what is left of it is owed to the payer."""
    debit, credited, books = chart.DEBITED[source], policy_of(line).credited, line.books
    fixed = chart.RECOVERIES if line.charged_off_on is not None else ""
    fixed = chart.CREDITORS if line.creditor_ref else fixed
    total = 0
    for slot in slots:
        account = fixed or credited[slot.component]
        books[account] = books.get(account, 0) - slot.amount_minor
        total += slot.amount_minor
    if slots:
        books[debit] = books.get(debit, 0) + total
    if left:
        book(line, debit, left, chart.UNALLOCATED)


def book_charge(line: Timeline, charge: Charge, amount_minor: int) -> None:
    """Book a charge, or below zero what is let go of it, where income is booked when charged."""
    on_books = not line.creditor_ref and line.charged_off_on is None
    if policy_of(line).accrues and on_books and amount_minor:
        income = chart.INCOME_OF[charge.component]
        book(line, policy_of(line).credited[charge.component], amount_minor, income)


def book_transfer(line: Timeline, price_minor: int) -> None:
    """Take what the loan is worth off the books against its price; the rest is gain or loss."""
    sold = {name: amount for name, amount in sub_ledger(line).items() if name in _SOLD}
    for name, amount in sold.items():
        book(line, chart.TRANSFERS, amount, name)
    book(line, chart.CASH, price_minor, chart.TRANSFERS)


def accrued(line: Timeline) -> dict[Component, int]:
    """
    Return income earned up to the timeline's date where the policy books it when earned.

    Interest is earned by days and at the latest when paid. From a charge-off on only what was paid
    is income; from a transfer on nothing more is earned. Minor units.
    """
    if not policy_of(line).accrues:
        return {}
    if line.income_stopped is not None:
        interest, penalty = line.income_stopped
        return {Component.INTEREST: interest, Component.PENALTY: penalty}
    earned = (max(r.interest_paid, interest_earned(r, line.on, line.terms)) for r in line.rows)
    penalty = sum(max(row.penalty_paid, line.penalty_due(row)) for row in line.rows)
    return {Component.INTEREST: sum(earned), Component.PENALTY: penalty}


def stop_income(line: Timeline, *, only_paid: bool) -> None:
    """Earn nothing from here on; with `only_paid`, take back what was earned and not paid."""
    so_far = accrued(line)
    interest_paid = sum(row.interest_paid for row in line.rows)
    penalty_paid = sum(row.penalty_paid for row in line.rows)
    if only_paid:
        line.income_stopped = (interest_paid, penalty_paid)
    else:
        line.income_stopped = (
            so_far.get(Component.INTEREST, interest_paid),
            so_far.get(Component.PENALTY, penalty_paid),
        )


def sub_ledger(line: Timeline) -> dict[str, int]:
    """
    Return what the control accounts must hold for a loan, from its rows; debit above zero.

    The general ledger ties out when the sum over all loans is its balance.
    """
    held = {chart.UNALLOCATED: -line.unallocated, chart.GUARANTORS: -line.subrogated}
    if line.creditor_ref or line.charged_off_on is not None:
        return {**held, chart.PRINCIPAL: 0, chart.FEES_RECEIVABLE: 0}
    held[chart.PRINCIPAL] = line.principal_outstanding
    if policy_of(line).accrues:
        so_far = accrued(line)
        paid = sum(row.interest_paid for row in line.rows)
        held[chart.FEES_RECEIVABLE] = 0
        held[chart.INTEREST_RECEIVABLE] = so_far[Component.INTEREST] - paid
        penalty_paid = sum(row.penalty_paid for row in line.rows)
        held[chart.PENALTY_RECEIVABLE] = so_far[Component.PENALTY] - penalty_paid
        for charge in line.charges:
            held[policy_of(line).credited[charge.component]] += charge.due - charge.paid
    return held


_SOLD = (
    chart.PRINCIPAL,
    chart.FEES_RECEIVABLE,
    chart.INTEREST_RECEIVABLE,
    chart.PENALTY_RECEIVABLE,
)
