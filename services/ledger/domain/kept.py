"""The hot path: go on from where a loan's timeline stood, instead of starting over."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from operator import attrgetter
from typing import NamedTuple

from services.ledger.domain.facts import MoneyFact
from services.ledger.domain.replay import at, begin, proceed
from services.ledger.domain.terms import Terms
from services.ledger.domain.timeline import Timeline
from services.ledger.domain.trail import Trail
from shared.kernel.bounded import Bounded

KEPT_BYTES_MAX = 128 << 20
LINE_BYTES, ROW_BYTES, SLOTS_BYTES = 2_000, 160, 150


class _Kept(NamedTuple):
    """Where one loan stood after its last fact, and on the date that was looked at last."""

    terms: Terms
    disbursed: tuple[date, int | None]
    facts: Trail[MoneyFact]
    line: Timeline
    seen: Timeline


def size_of(kept: _Kept) -> int:
    """Return about how many bytes keeping one loan takes; a test holds it against the truth."""
    lines = (kept.line,) if kept.seen is kept.line else (kept.line, kept.seen)
    rows = sum(LINE_BYTES + ROW_BYTES * len(line.rows) for line in lines)
    return rows + SLOTS_BYTES * len(kept.line.allocations)


class Keeper:
    """
    Timelines of the loans that were looked at last, up to so many bytes.

    What it returns equals `replay.timeline` of the same facts (a law in the tests): a kept line is
    used only if the facts that it counted are the very first of those asked for, and none of the
    others counts earlier.
    """

    def __init__(self, bytes_max: int = KEPT_BYTES_MAX) -> None:
        self.lines: Bounded[_Kept] = Bounded(bytes_max, size_of)

    def timeline(
        self,
        loan_id: str,
        terms: Terms,
        disbursed: tuple[date, int | None],
        counting: Trail[MoneyFact],
        on: date,
    ) -> Timeline:
        """
        Return the loan on a date, not before its disbursal; nobody may change it.

        Args:
            loan_id: Names what is kept.
            terms: The contract as first agreed.
            disbursed: When the loan was first paid out and how much; None for all of it.
            counting: The facts not taken back, in the order in which they count.
            on: The date to look at.
        """
        on = max(on, disbursed[0])
        if counting and counting[-1].effective_on > on:
            counting = counting.first(bisect_right(counting, on, key=attrgetter("effective_on")))
        kept = self.lines.get(loan_id)
        if kept is None or not _goes_on(kept, terms, disbursed, counting, on):
            line, done = begin(terms, *disbursed), 0
        elif len(kept.facts) == len(counting):
            return self._later(loan_id, kept._replace(facts=counting), on)
        else:
            done = len(kept.facts)
            soon = counting[done].effective_on
            line = (kept.seen if kept.seen.on <= soon else kept.line).copied()
        proceed(line, counting[done:], on)
        return self._later(loan_id, _Kept(terms, disbursed, counting, line, line), on)

    def _later(self, loan_id: str, kept: _Kept, on: date) -> Timeline:
        """Return a loan whose facts are all counted, with time passed up to a date."""
        if kept.seen.on != on:
            near = kept.seen if kept.seen.on <= on else kept.line
            kept = kept._replace(seen=near if near.on == on else at(near.copied(), on))
        self.lines.put(loan_id, kept)
        return kept.seen


def _goes_on(
    kept: _Kept,
    terms: Terms,
    disbursed: tuple[date, int | None],
    counting: Trail[MoneyFact],
    on: date,
) -> bool:
    """Say whether the facts asked for begin with those that were counted."""
    return (
        (kept.terms is terms or kept.terms == terms)
        and kept.disbursed == disbursed
        and kept.line.on <= on
        and counting.begins_with(kept.facts)
    )


KEEPER = Keeper()
"""The keeper of this process."""
