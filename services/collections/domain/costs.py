"""What collecting costs: every attempt at its price, legal steps as approved, over what came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from services.collections.domain.case import Case, money_of
from services.collections.domain.contact_rules import Outcome
from services.collections.domain.figures import Book, Span
from services.collections.domain.heard import Fact
from services.collections.domain.treatment import Strategy

CENT = Decimal("0.01")


class Cost(NamedTuple):
    """Costs and takings of an arm; minor units of the currency of the strategy's prices."""

    arm: str
    currency: str
    contact_minor: int
    legal_minor: int
    collected_minor: int

    @property
    def per_hundred(self) -> Decimal | None:
        """Cost of each hundred that was collected; None when nothing was."""
        if self.collected_minor <= 0:
            return None
        spent = Decimal(self.contact_minor + self.legal_minor)
        return (100 * spent / self.collected_minor).quantize(CENT)


@dataclass(slots=True)
class Spending:
    """
    What collecting cost by arm, counted borrower by borrower.

    Args:
        span: The days that count.
        strategy: Its `price_minor` is what an attempt by a channel costs, in `price_currency`;
            loans in other currencies are left out.
    """

    span: Span
    strategy: Strategy
    arms: set[str] = field(default_factory=set)
    contact: Counter[str] = field(default_factory=Counter)
    legal: Counter[str] = field(default_factory=Counter)
    collected: Counter[str] = field(default_factory=Counter)

    def add(self, book: Book) -> None:
        """
        Count all there is of some borrowers.

        A legal step that was approved counts at the cost that was expected. Collected is what was
        paid, less what was taken back, while a loan was late or after charge-off.
        """
        span, strategy = self.span, self.strategy
        ours = {one.loan_id: one for one in book.cases if one.currency == strategy.price_currency}
        self.arms.update(case.arm for case in ours.values())
        for attempt in book.attempts:
            case = ours.get(attempt.loan_id)
            if case and attempt.outcome is not Outcome.NOT_SENT and span.holds(attempt.at.date()):
                self.contact[case.arm] += strategy.price_minor.get(attempt.channel, 0)
        for matter in book.matters:
            case = ours.get(matter.loan_id)
            done = [t for t in matter.steps if t.approved_by and span.holds(t.on)]
            if case:
                self.legal[case.arm] += sum(taken.cost_minor for taken in done)
        for case in ours.values():
            late = [fact for fact in _while_late(case) if span.holds(fact.effective_on)]
            self.collected[case.arm] += sum(money_of(fact) for fact in late)

    def costs(self) -> list[Cost]:
        """Return the costs by arm, the arm "" being all of them."""
        currency, counted = self.strategy.price_currency, (self.contact, self.legal, self.collected)
        rows = [Cost(arm, currency, *(one[arm] for one in counted)) for arm in sorted(self.arms)]
        whole = [sum(by_arm.values()) for by_arm in counted]
        return [Cost("", currency, *whole), *rows] if rows else []


def _while_late(case: Case) -> Iterator[Fact]:
    spans = [(one.opened_on, one.closed_on) for one in case.episodes]
    for fact in case.facts:
        if any(a <= fact.effective_on and (b is None or fact.effective_on <= b) for a, b in spans):
            yield fact
