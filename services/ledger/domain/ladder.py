"""Plain repayments, one after the other: up the open rows of a loan that bears nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from itertools import islice

from services.ledger.domain.books import book_payment
from services.ledger.domain.facts import FactKind, MoneyFact
from services.ledger.domain.head import Head
from services.ledger.domain.terms import Prepayment
from services.ledger.domain.timeline import (
    NO_PENALTY,
    Allocation,
    Row,
    SharedRows,
    Timeline,
)
from services.ledger.domain.waterfall import (
    INTEREST,
    PRINCIPAL,
    DueBucket,
    FutureRule,
    PaymentSource,
    Waterfall,
)

BORROWER, HOLD, REPAYMENT = PaymentSource.BORROWER, Prepayment.HOLD, FactKind.REPAYMENT
# By these names every repayment asks: a member of its enum takes nine times as long to look up.

_NO_MORE: tuple[int, None] = (0, None)

OldestDue = tuple[date, date | None]
"""From when on a row is the oldest of which something is unpaid, and its due date; None: none."""


class Ladder:
    """
    The open rows of a loan, oldest first, and how far up them the money has come.

    Repayments that go up it do what each would do through the stages of the waterfall (a law in
    the tests). What all of them need is found once: whether the contract is plain, and as many of
    its open rows as the money can come to. What they paid is booked when they leave it.
    """

    __slots__ = (
        *("_at", "_coming", "_known_by", "_line", "_oldest", "_owned", "_paid", "_place"),
        *("_principal_left", "_received", "_rows", "_shared"),
    )

    def __init__(self, line: Timeline, oldest: list[OldestDue] | None) -> None:
        self._line, self._rows, self._place = line, list[Row](), 0
        self._coming, self._known_by = enumerate(line.rows), date.min
        self._at, self._shared, self._owned = list[int](), type(line.rows) is SharedRows, 0
        self._principal_left, self._received = 0, 0
        self._paid: list[tuple[str, tuple[Allocation, ...]]] = []
        self._oldest = oldest

    @classmethod
    def of(
        cls, line: Timeline, fact: MoneyFact, oldest: list[OldestDue] | None = None
    ) -> Ladder | None:
        """
        Return the ladder of a loan for a fact; None if it has none, or the fact goes up none.

        After each fact that goes up it, `oldest` is told the row that is oldest unpaid.
        """
        if fact.kind is not REPAYMENT or not _is_plain(line):
            return None
        return cls(line, oldest)

    def _reaches(self, amount: int, on: date) -> bool:
        """Look at all rows due by a date and above those that an amount pays; False if not so."""
        accrues = bool(self._line.terms.penalty_rate_annual)
        # One repayment pays few rows; where more have come, all rows are looked at in one go.
        on = date.max if self._paid else on
        while amount >= self._principal_left or on >= self._known_by:
            place, row = next(self._coming, _NO_MORE)
            if row is None:
                self._known_by = date.max
                return amount < self._principal_left
            self._known_by = row.due_on
            principal = row.principal_due - row.principal_paid
            interest = row.interest_due - row.interest_paid
            if row.paid_on is not None:
                plain = principal <= 0 or not accrues
            else:
                plain = interest >= 0 and principal >= 0
                if interest or principal:
                    self._rows.append(row)
                    self._at.append(place)
                    self._principal_left += principal
            if not plain or (
                row.penalty_exact is not NO_PENALTY and _owes_penalty(self._line, row)
            ):
                # Nothing goes up beyond it.
                self._coming, self._principal_left = enumerate(()), 0
                return False
        return True

    def climb(self, facts: Sequence[MoneyFact], first: int, upto: date) -> int:
        """
        Let facts do their work, from a place on, up to the first that asks for more.

        Returns:
            How many did; the loan then stands at the last of them.
        """
        line, rows, paid, oldest = self._line, self._rows, self._paid, self._oldest
        before, hold = len(paid), line.terms.prepayment is HOLD
        accrues = bool(line.terms.penalty_rate_annual)
        for fact in islice(facts, first, None):
            on, amount = fact.effective_on, fact.amount_minor
            if on < line.on:
                on = line.on
            if on > upto or fact.kind is not REPAYMENT or fact.source is not BORROWER:
                break
            if (amount >= self._principal_left or on >= self._known_by) and not self._reaches(
                amount, on
            ):
                break
            # Lateness costs more, or the rest is planned anew.
            if accrues and rows[self._place].due_on < on:
                break
            if not hold and not self._all_due(amount, on):
                break
            line.on = on
            self._received += amount
            paid.append((fact.fact_id, self._pay(amount, on)))
            if oldest is not None:
                oldest.append((on, rows[self._place].due_on))
        return len(paid) - before

    def leave(self) -> None:
        """Book what was paid, and say where it went."""
        if not self._paid:
            return
        line, interest, principal = self._line, 0, 0
        for _, slots in self._paid:
            for slot in slots:
                if slot.component is INTEREST:
                    interest += slot.amount_minor
                else:
                    principal += slot.amount_minor
        totals = ((INTEREST, interest), (PRINCIPAL, principal))
        moved = tuple(Allocation(0, part, amount) for part, amount in totals if amount)
        book_payment(line, moved, 0, BORROWER)
        line.received += self._received
        line.allocations = line.allocations.grown_by(self._paid)

    def _all_due(self, amount: int, on: date) -> bool:
        """Say whether an amount pays nothing that falls due later."""
        for row in islice(self._rows, self._place, None):
            if amount <= 0 or row.due_on > on:
                break
            amount -= row.principal_due - row.principal_paid + row.interest_due - row.interest_paid
        return amount <= 0

    def _own(self) -> Row:
        """Return the row that is paid next, as one that no other timeline holds."""
        place = self._place
        if place == self._owned:
            self._owned += 1
            row = self._rows[place].copied()
            self._rows[place] = self._line.rows[self._at[place]] = row
        return self._rows[place]

    def _pay(self, amount: int, on: date) -> tuple[Allocation, ...]:
        """Pay the oldest rows, of each interest before principal; less than all that is open."""
        left, slots = amount, []
        while left:
            row = self._own() if self._shared else self._rows[self._place]
            before = left
            interest = row.interest_due - row.interest_paid
            if interest:
                interest = interest if interest < left else left
                row.interest_paid += interest
                left -= interest
                slots.append(Allocation(row.number, INTEREST, interest))
            principal = row.principal_due - row.principal_paid
            if left and principal:
                paid = principal if principal < left else left
                row.principal_paid += paid
                self._principal_left -= paid
                principal -= paid
                left -= paid
                slots.append(Allocation(row.number, PRINCIPAL, paid))
            due_on = row.due_on
            if due_on < on:
                row.paid_late += before - left
            elif due_on > on:
                row.paid_in_advance += before - left
            if not principal and row.interest_paid == row.interest_due:
                row.paid_on = on
                self._place += 1
        return tuple(slots)


def _is_plain(line: Timeline) -> bool:
    """Say whether repayments into a loan can only pay instalments, in the order of their dates."""
    if isinstance(line.rows, Head) or line.dated_charges or line.unallocated:
        return False
    if line.terms.prepayment_fee_rate or any(
        charge.paid < charge.due for charge in line.loan_charges
    ):
        return False
    return _climbs(line.terms.waterfall)


@lru_cache(maxsize=256)
def _climbs(waterfall: Waterfall) -> bool:
    """
    Say whether a waterfall pays one instalment before the next, whatever stands in advance.

    Then the stages that pay interest and principal pay both, in this order, and each later one
    pays what falls due later.
    """
    if waterfall.vertical or waterfall.late_from_days:
        return False
    if waterfall.rule_for(BORROWER) is not FutureRule.NEXT:
        return False
    passed: list[int] = []
    for stage in waterfall.stages:
        parts = tuple(part for part in stage.components if part in (INTEREST, PRINCIPAL))
        if not parts:
            continue
        if parts != (INTEREST, PRINCIPAL):
            return False
        passed += sorted(_RANKS[bucket] for bucket in stage.buckets)
    return passed == sorted(_RANKS.values())


_RANKS = {bucket: rank for rank, bucket in enumerate(DueBucket)}


def _owes_penalty(line: Timeline, row: Row) -> bool:
    """Say whether a row that was late is open still, or its penalty is."""
    if row.paid_on is None or row.interest_paid < row.interest_due:
        return True
    return row.principal_paid < row.principal_due or line.penalty_due(row) > row.penalty_paid
