"""Where one payment goes: through the stages of the contract's waterfall, every cent to a slot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from fractions import Fraction

from services.ledger.domain.timeline import (
    NO_PENALTY,
    Allocation,
    Charge,
    Row,
    Timeline,
    interest_earned,
)
from services.ledger.domain.waterfall import (
    DUE,
    IN_ADVANCE,
    INTEREST,
    PAST_DUE,
    PENALTY,
    PRINCIPAL,
    Component,
    DueBucket,
    FutureRule,
    PaymentSource,
    Stage,
    bucket_of_due,
)
from shared.kernel.money import round_minor


class Payment:
    """One payment on its way through the waterfall: what is left of it, and where the rest went."""

    def __init__(self, line: Timeline, money: int, source: PaymentSource) -> None:
        self.line = line
        self.left = money
        self.rule = line.terms.waterfall.rule_for(source)
        self.vertical = line.terms.waterfall.vertical
        self.together = line.terms.waterfall.charges_with_instalment
        self.slots: dict[tuple[int, Component], int] = {}

    def allocations(self) -> tuple[Allocation, ...]:
        """Return the slots in the order in which they were first paid."""
        return tuple([Allocation(n, part, amount) for (n, part), amount in self.slots.items()])

    def run(self, stages: tuple[Stage, ...]) -> None:
        """Let the money fall through every stage."""
        for stage in stages:
            if self.left <= 0:
                return
            self._loan_charges(stage)
            if not self._any_row_owes(stage):
                continue
            rows: Iterable[Row] = _touched(self.line, stage, together=self.together)
            if IN_ADVANCE in stage.buckets and self.rule is not FutureRule.NEXT:
                self._ahead(list(rows), stage)
            elif self.vertical:
                rows = list(rows)
                for component in stage.components:
                    for row in rows:
                        self._pay(row, component, stage.buckets)
            else:
                if self.left <= 0:
                    return
                for row in rows:
                    self._pay_row(row, stage, self.left)
                    if self.left <= 0:
                        return

    def _any_row_owes(self, stage: Stage) -> bool:
        """Say whether instalments may owe anything that a stage pays: often none bears charges."""
        paid = stage.components
        return INTEREST in paid or PRINCIPAL in paid or PENALTY in paid or self.line.dated_charges

    def to_principal(self, coming: list[Row], stages: tuple[Stage, ...]) -> None:
        """Pay the interest earned so far of the running period, then principal of coming rows."""
        if not stages or not coming:
            return
        first = coming[0]
        owed = max(0, interest_earned(first, self.line.on, self.line.terms) - first.interest_paid)
        interest = self._take(owed)
        first.interest_paid += interest
        if interest:
            self._note(first.number, INTEREST, interest)
            first.paid_in_advance += interest
        for row in coming:
            self._pay(row, PRINCIPAL, (IN_ADVANCE,))

    def _ahead(self, rows: list[Row], stage: Stage) -> None:
        """Pay what is due in order, and coming instalments from the last or in equal parts."""
        on = self.line.on
        for row in [row for row in rows if row.due_on <= on]:
            self._pay_row(row, stage, self.left)
        coming = [row for row in rows if row.due_on > on]
        if self.rule is FutureRule.LAST:
            for row in reversed(coming):
                self._pay_row(row, stage, self.left)
            return
        while self.left > 0 and (unpaid := [row for row in coming if row.unpaid > 0]):
            share = round_minor(Fraction(self.left, len(unpaid))) or self.left
            for row in unpaid[:-1]:
                self._pay_row(row, stage, min(share, self.left))
            self._pay_row(unpaid[-1], stage, self.left)

    def _pay_row(self, row: Row, stage: Stage, limit: int) -> None:
        """Pay one row up to a limit, component by component."""
        kept = self.left - limit
        self.left = limit
        for component in stage.components:
            if self.left <= 0:
                break
            self._pay(row, component, stage.buckets)
        self.left += kept

    def _pay(self, row: Row, component: Component, buckets: tuple[DueBucket, ...]) -> None:
        """Pay one component of one row, as far as it stands in one of the buckets."""
        if self.left <= 0:
            return
        standing = bucket_of_due(row.due_on, self.line.on)
        paid = 0
        if row.charges:
            together = row.due_on if self.together else None
            paid = self._pay_charges(row.charges, component, buckets, together)
        if standing in buckets:
            if component is PENALTY and standing is PAST_DUE:
                owed = max(0, self.line.penalty_due(row) - row.penalty_paid)
                row.penalty_paid += (penalty := self._take(owed))
                paid += penalty
            elif component is INTEREST:
                row.interest_paid += (interest := self._take(row.interest_due - row.interest_paid))
                paid += interest
            elif component is PRINCIPAL:
                row.principal_paid += (principal := self._take(row.principal_unpaid))
                paid += principal
        if paid:
            self._note(row.number, component, paid)
            if standing is PAST_DUE:
                row.paid_late += paid
            elif standing is IN_ADVANCE:
                row.paid_in_advance += paid
            self._close(row)

    def _close(self, row: Row) -> None:
        """Date the day on which nothing of a row is unpaid; inside grace its penalty falls away."""
        if row.paid_on is None and row.unpaid <= 0:
            if (self.line.on - row.due_on).days <= self.line.terms.grace_days:
                row.penalty_exact, row.penalty_runs = NO_PENALTY, ()
            row.paid_on = self.line.on

    def _loan_charges(self, stage: Stage) -> None:
        if not self.line.loan_charges:
            return
        for component in stage.components:
            paid = self._pay_charges(self.line.loan_charges, component, stage.buckets)
            if paid:
                self._note(0, component, paid)

    def _pay_charges(
        self,
        charges: Iterable[Charge],
        component: Component,
        buckets: tuple[DueBucket, ...],
        due_on: date | None = None,
    ) -> int:
        """Pay charges of one component, due on their own dates or all on `due_on`."""
        before = self.left
        for charge in charges:
            standing = bucket_of_due(due_on or charge.due_on, self.line.on)
            if charge.component is component and standing in buckets:
                charge.paid += self._take(charge.due - charge.paid)
        return before - self.left

    def _take(self, owed: int) -> int:
        taken = max(0, min(self.left, owed))
        self.left -= taken
        return taken

    def _note(self, number: int, component: Component, amount: int) -> None:
        key = (number, component)
        self.slots[key] = self.slots.get(key, 0) + amount


def _touched(line: Timeline, stage: Stage, *, together: bool) -> Iterator[Row]:
    """
    Yield the rows of which anything may stand in a stage's buckets, oldest first.

    One by one, since the money is mostly gone before the last: paying a row touches no other.
    """
    on, buckets = line.on, stage.buckets
    late, now = PAST_DUE in buckets, DUE in buckets
    coming = IN_ADVANCE in buckets
    ends = not coming and (together or not line.dated_charges)
    for row in line.rows:
        due_on = row.due_on
        if ends and due_on > on:
            return
        stands = coming if due_on > on else late if due_on < on else now
        if not stands and (together or not row.charges):
            continue
        if row.paid_on is None or row.charges or row.penalty_exact is not NO_PENALTY:
            yield row
