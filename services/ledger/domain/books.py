"""The double-entry picture of a timeline: every move is between two accounts."""

from __future__ import annotations

from services.ledger.domain.timeline import Allocation, Timeline
from services.ledger.domain.waterfall import Component, PaymentSource

INCOME = {
    Component.COST: "income:costs_recovered",
    Component.PENALTY: "income:penalty",
    Component.FEE: "income:fees",
    Component.INTEREST: "income:interest",
    Component.PRINCIPAL: "loans:principal",
}
CAME_FROM = {
    PaymentSource.BORROWER: "assets:cash",
    PaymentSource.GOODWILL: "expense:goodwill",
    PaymentSource.MERCHANT_REFUND: "assets:cash",
    PaymentSource.PAYOUT_REFUND: "assets:cash",
    PaymentSource.GUARANTOR: "assets:cash",
}


def book(line: Timeline, debit: str, amount_minor: int, credit: str) -> None:
    """Move an amount between two accounts of the books: always zero-sum."""
    line.books[debit] = line.books.get(debit, 0) + amount_minor
    line.books[credit] = line.books.get(credit, 0) - amount_minor


def book_out(line: Timeline, amount_minor: int) -> None:
    """Book money paid out to the borrower."""
    book(line, "loans:principal", amount_minor, "assets:cash")


def book_payment(
    line: Timeline, slots: tuple[Allocation, ...], left: int, source: PaymentSource
) -> None:
    """Book where a payment went; what is left of it is owed to the payer."""
    debit, charged_off = CAME_FROM[source], line.charged_off_on is not None
    for slot in slots:
        account = "income:recoveries" if charged_off else INCOME[slot.component]
        book(line, debit, slot.amount_minor, account)
    if left:
        book(line, debit, left, "liabilities:unallocated")
