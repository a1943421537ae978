"""The hot path: go on from where a loan's timeline stood, instead of starting over."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import date
from operator import attrgetter
from typing import NamedTuple, TypeVar

from services.ledger.domain.facts import MoneyFact
from services.ledger.domain.head import BeyondHead
from services.ledger.domain.replay import at, begin
from services.ledger.domain.terms import Terms
from services.ledger.domain.timeline import Timeline
from services.ledger.domain.trail import Trail
from services.ledger.domain.walk import Walk, proceed
from shared.kernel.bounded import Bounded

KEPT_BYTES_MAX = 128 << 20
FEW = 4
"""Facts that are sooner counted again than kept."""

T = TypeVar("T")
LINE_BYTES, ROW_BYTES, SLOTS_BYTES = 2_000, 160, 150


class _Past(NamedTuple):
    """Where one loan stood on an earlier date that was looked at, and what had counted by then."""

    facts: Trail[MoneyFact]
    line: Timeline


class _Kept(NamedTuple):
    """
    Where one loan stood after its last fact, and on the date that was looked at last.

    `past` is the last look back: what counts earlier than facts known before is mostly posted right
    after a look at its date.
    """

    terms: Terms
    disbursed: tuple[date, int | None]
    facts: Trail[MoneyFact]
    line: Timeline
    seen: Timeline
    past: _Past | None = None

    def is_of(
        self, terms: Terms, disbursed: tuple[date, int | None], counting: Trail[MoneyFact]
    ) -> bool:
        """Say whether it was kept of the very same; a plain look tells it nearly always."""
        return self.terms is terms and self.facts.is_same(counting) and self.disbursed == disbursed


def size_of(kept: _Kept) -> int:
    """Return about how many bytes keeping one loan takes; a test holds it against the truth."""
    lines = [kept.line] if kept.seen is kept.line else [kept.line, kept.seen]
    if kept.past is not None:
        lines.append(kept.past.line)
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
        counting = _counting_by(counting, on)
        kept = self.lines.get(loan_id)
        if kept is not None and kept.seen.on == on and kept.is_of(terms, disbursed, counting):
            return kept.seen
        if kept is None or not _goes_on(kept, terms, disbursed, counting, on):
            if kept is not None and kept.line.on > on:
                # A look back: what was kept stays, for the next posting.
                line, done = _start(kept, terms, disbursed, counting, on)
                proceed(line, counting[done:], on)
                at(line, on)
                if _is_of(kept, terms, disbursed):
                    self.lines.put(loan_id, kept._replace(past=_Past(counting, line)))
                return line
            line, done = begin(terms, *disbursed), 0
        elif len(kept.facts) == len(counting):
            return self._later(loan_id, kept._replace(facts=counting), on)
        else:
            done = len(kept.facts)
            soon = counting[done].effective_on
            line = (kept.seen if kept.seen.on <= soon else kept.line).sharing()
        proceed(line, counting[done:], on)
        return self._later(loan_id, _Kept(terms, disbursed, counting, line, line), on)

    def glance(
        self,
        loan_id: str,
        terms: Terms,
        disbursed: tuple[date, int | None],
        counting: Trail[MoneyFact],
        on: date,
        look: Callable[[Timeline], T],
    ) -> T:
        """
        Return what a look at a loan finds, of its head alone if that is enough; nothing is kept.

        Args:
            loan_id: Names what is kept; the next four are as in `timeline`.
            terms: See there.
            disbursed: See there.
            counting: See there.
            on: See there.
            look: Finds the same in a whole loan as in its head, or looks beyond it.
        """
        counted = _counting_by(counting, on)
        if len(counted) <= FEW and loan_id not in self.lines:
            try:
                line = begin(terms, *disbursed, upto=on)
                proceed(line, counted, on)
                return look(at(line, on))
            except BeyondHead:
                pass
        return look(self.timeline(loan_id, terms, disbursed, counting, on))

    def walked(
        self,
        loan_id: str,
        terms: Terms,
        disbursed: tuple[date, int | None],
        counting: Trail[MoneyFact],
        days: Sequence[date],
        on: date,
    ) -> tuple[int, Timeline]:
        """
        Walk once from the beginning or the last look back; look at days past due on the way.

        Args:
            loan_id: Names what is kept; the next three are as in `timeline`.
            terms: See there.
            disbursed: See there.
            counting: See there.
            days: On the way, none after `on`.
            on: The date to arrive at.
        Returns:
            The most days past due on any of the days, and the loan on the date arrived at.
        """
        kept = self.lines.get(loan_id)
        line, done = _start(kept, terms, disbursed, counting, min((*days, on)))
        walk = Walk(line, counting[done:], watched=True)
        walk.count(on)
        line = walk.arrived()
        stood = line.sharing() if walk.all_counted() else None
        at(line, on)
        if stood is not None:
            past = kept.past if kept is not None and _is_of(kept, terms, disbursed) else None
            self.lines.put(loan_id, _Kept(terms, disbursed, counting, stood, line, past))
        return max(walk.days_past_due(sorted(days)), default=0), line

    def _later(self, loan_id: str, kept: _Kept, on: date) -> Timeline:
        """Return a loan whose facts are all counted, with time passed up to a date."""
        if kept.seen.on != on:
            near = kept.seen if kept.seen.on <= on else kept.line
            kept = kept._replace(seen=near if near.on == on else at(near.sharing(), on))
        self.lines.put(loan_id, kept)
        return kept.seen


def _counting_by(counting: Trail[MoneyFact], on: date) -> Trail[MoneyFact]:
    """Return the facts that count by a date."""
    if not counting or counting[-1].effective_on <= on:
        return counting
    return counting.first(bisect_right(counting, on, key=attrgetter("effective_on")))


def _start(
    kept: _Kept | None,
    terms: Terms,
    disbursed: tuple[date, int | None],
    counting: Trail[MoneyFact],
    on: date,
) -> tuple[Timeline, int]:
    """Return a line to go on from up to a date, and how many facts it has counted."""
    past = kept.past if kept is not None and _is_of(kept, terms, disbursed) else None
    if past is None or past.line.on > on or not counting.begins_with(past.facts):
        return begin(terms, *disbursed), 0
    done = len(past.facts)
    if done < len(counting) and counting[done].effective_on < past.line.on:
        return begin(terms, *disbursed), 0
    # Not shared: what comes pays most of its rows.
    return past.line.copied(), done


def _is_of(kept: _Kept, terms: Terms, disbursed: tuple[date, int | None]) -> bool:
    return (kept.terms is terms or kept.terms == terms) and kept.disbursed == disbursed


def _goes_on(
    kept: _Kept,
    terms: Terms,
    disbursed: tuple[date, int | None],
    counting: Trail[MoneyFact],
    on: date,
) -> bool:
    """Say whether the facts asked for begin with those that were counted."""
    return (
        _is_of(kept, terms, disbursed) and kept.line.on <= on and counting.begins_with(kept.facts)
    )


KEEPER = Keeper()
"""The keeper of this process."""
