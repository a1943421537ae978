"""Walk a loan through many facts, those together that are plain; ends where `replay` would."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from services.ledger.domain.facts import MoneyFact
from services.ledger.domain.ladder import Ladder
from services.ledger.domain.replay import at, step
from services.ledger.domain.timeline import Timeline


def proceed(line: Timeline, facts: Sequence[MoneyFact], upto: date) -> None:
    """Let facts, in order, do their work on a line; it then stands at the last of them."""
    walk = Walk(line, facts)
    walk.count(upto)
    walk.arrived()


class Walk:
    """
    A line on its way through facts, in the order in which they count.

    Plain repayments go up one ladder, as long as nothing else happens. Until it has arrived, rows
    and dates of the line are true, and its books are not.
    """

    __slots__ = ("_coming", "_done", "_ladder", "_line")

    def __init__(self, line: Timeline, coming: Sequence[MoneyFact]) -> None:
        self._line, self._coming, self._done = line, coming, 0
        self._ladder: Ladder | None = None

    def counts_by(self, on: date) -> bool:
        """Say whether another fact counts by a date."""
        coming, done = self._coming, self._done
        return done < len(coming) and coming[done].effective_on <= on

    def count(self, upto: date) -> None:
        """Let the facts that count by a date do their work."""
        coming = self._coming
        while self.counts_by(upto):
            fact = coming[self._done]
            if self._ladder is None:
                self._ladder = Ladder.of(self._line, fact)
            climbed = 0 if self._ladder is None else self._ladder.climb(coming, self._done, upto)
            if not climbed:
                step(self.arrived(), fact)
            self._done += climbed or 1

    def days_past_due(self, on: date) -> int:
        """Let facts and time pass up to a date, and return the days past due on it."""
        self.count(on)
        line = at(self._line, on)
        return line.days_past_due if self._ladder is None else self._ladder.days_past_due

    def ended(self) -> Timeline | None:
        """Return a copy of the line once all facts have counted; None before, or without any."""
        return self.arrived().copied() if 0 < self._done == len(self._coming) else None

    def arrived(self) -> Timeline:
        """Return the line, with everything booked that was paid on the way."""
        if self._ladder is not None:
            self._ladder.leave()
            self._ladder = None
        return self._line
