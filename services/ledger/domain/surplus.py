"""Interest that was paid ahead and that nobody owes any more: its money pays what is due next."""

from __future__ import annotations

from services.ledger.domain import chart
from services.ledger.domain.allocate import Payment
from services.ledger.domain.books import book, book_payment, policy_of
from services.ledger.domain.timeline import Allocation, Timeline
from services.ledger.domain.trail import Trail
from services.ledger.domain.waterfall import INTEREST, Component, PaymentSource


def hand_back(line: Timeline, over: dict[int, int]) -> None:
    """
    Let interest that was paid for nothing pay what is due next, as money in advance does.

    It stays part of the payment with which it came, the latest first. What is left when nothing is
    owed waits to be paid back.

    Args:
        line: The loan on the date on which that became known.
        over: Minor units by instalment.
    """
    _take(line, over)
    taken, paid, freed = dict(over), list(line.allocations), list[tuple[int, int]]()
    for place in reversed(range(len(paid))):
        name, slots = paid[place]
        kept, amount = _lowered(slots, taken)
        if amount:
            paid[place] = (name, kept)
            freed.append((place, amount))
    assert not any(taken.values()), "interest that was paid lies where a payment put it"
    waterfall = line.terms.waterfall
    stages = waterfall.stages_at(line.days_past_due if waterfall.late_from_days else 0)
    account = chart.CREDITORS if line.creditor_ref else policy_of(line).credited[INTEREST]
    for place, amount in reversed(freed):
        book(line, account, amount, chart.CASH)
        payment = Payment(line, amount, PaymentSource.BORROWER)
        payment.run(stages)
        line.unallocated += payment.left
        name, kept = paid[place]
        paid[place] = (name, _joined((*kept, *payment.allocations())))
        book_payment(line, payment.allocations(), payment.left, PaymentSource.BORROWER)
    line.allocations = Trail(paid)


def _take(line: Timeline, over: dict[int, int]) -> None:
    """Let instalments owe, and have been paid, less interest."""
    for row in line.rows:
        less = over.get(row.number, 0)
        if less:
            row.interest_paid -= less
            row.interest_due -= less
            row.carried = min(row.carried, row.interest_due)
            row.paid_in_advance = max(0, row.paid_in_advance - less)


def _lowered(
    slots: tuple[Allocation, ...], taken: dict[int, int]
) -> tuple[tuple[Allocation, ...], int]:
    """Return slots without what is taken from them, and how much that was."""
    kept, freed = list[Allocation](), 0
    for slot in slots:
        number, component, amount = slot.instalment, slot.component, slot.amount_minor
        less = min(taken.get(number, 0), amount) if component is INTEREST else 0
        if less:
            taken[number] -= less
            freed += less
        if amount > less:
            kept.append(Allocation(number, component, amount - less))
    return tuple(kept), freed


def _joined(slots: tuple[Allocation, ...]) -> tuple[Allocation, ...]:
    """Return one slot for each instalment and component, in the order in which they were paid."""
    found: dict[tuple[int, Component], int] = {}
    for slot in slots:
        key = (slot.instalment, slot.component)
        found[key] = found.get(key, 0) + slot.amount_minor
    return tuple(Allocation(*key, amount) for key, amount in found.items())
