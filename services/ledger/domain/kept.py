"""The hot path: go on from where a loan's timeline stood, instead of starting over."""

from __future__ import annotations

from collections import OrderedDict
from datetime import date
from typing import NamedTuple

from services.ledger.domain.replay import at, begin, in_order, proceed
from services.ledger.domain.terms import Terms
from services.ledger.domain.timeline import MoneyFact, Timeline

KEPT_MAX = 4096


class _Kept(NamedTuple):
    """Where one loan stood after its last fact; the line is never changed, only copied."""

    terms: Terms
    disbursed: tuple[date, int | None]
    facts: list[MoneyFact]
    line: Timeline


class Keeper:
    """
    Timelines of the loans that were looked at last.

    What it returns equals `replay.timeline` of the same facts (a law in the tests): a kept line is
    used only if the facts that it counted are the very first of those asked for, and none of the
    others counts earlier.
    """

    def __init__(self, most: int = KEPT_MAX) -> None:
        self.most = most
        self.lines: OrderedDict[str, _Kept] = OrderedDict()

    def timeline(
        self,
        loan_id: str,
        terms: Terms,
        disbursed: tuple[date, int | None],
        facts: list[MoneyFact],
        on: date,
    ) -> Timeline:
        """Return the loan on a date, not before its disbursal; the caller may change it."""
        wanted = in_order(facts)
        counting = [fact for fact in wanted if fact.effective_on <= on]
        kept = self.lines.get(loan_id)
        if kept is not None and _goes_on(kept, terms, disbursed, counting, on):
            line, done = kept.line.copied(), len(kept.facts)
        else:
            line, done = begin(terms, *disbursed), 0
        if done < len(counting) or done == 0:
            proceed(line, counting[done:], on)
            self._keep(loan_id, _Kept(terms, disbursed, counting, line.copied()))
        return at(line, max(on, disbursed[0]))

    def _keep(self, loan_id: str, kept: _Kept) -> None:
        self.lines.pop(loan_id, None)
        self.lines[loan_id] = kept
        while len(self.lines) > self.most:
            self.lines.pop(next(iter(self.lines)), None)


def _goes_on(
    kept: _Kept,
    terms: Terms,
    disbursed: tuple[date, int | None],
    counting: list[MoneyFact],
    on: date,
) -> bool:
    """Say whether the facts asked for begin with those that were counted."""
    done = len(kept.facts)
    return (
        (kept.terms is terms or kept.terms == terms)
        and kept.disbursed == disbursed
        and done <= len(counting)
        and kept.line.on <= on
        and all(a is b or a == b for a, b in zip(kept.facts, counting, strict=False))
    )


KEEPER = Keeper()
"""The keeper of this process."""
