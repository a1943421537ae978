"""Walk a loan through many facts, those together that are plain; ends where `replay` would."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from services.ledger.domain.facts import MoneyFact
from services.ledger.domain.ladder import Ladder, OldestDue
from services.ledger.domain.replay import step
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
    and dates of the line are true, and its books are not. How late it was on the way is known
    afterwards, if it is `watched`: between facts the row that is oldest unpaid stays the same.
    """

    __slots__ = ("_coming", "_done", "_ladder", "_line", "_oldest")

    def __init__(
        self, line: Timeline, coming: Sequence[MoneyFact], *, watched: bool = False
    ) -> None:
        self._line, self._coming, self._done = line, coming, 0
        self._ladder: Ladder | None = None
        self._oldest: list[OldestDue] | None = [(line.on, _oldest_due(line))] if watched else None

    def count(self, upto: date) -> None:
        """Let the facts that count by a date do their work."""
        coming, count = self._coming, len(self._coming)
        while self._done < count and coming[self._done].effective_on <= upto:
            fact = coming[self._done]
            if self._ladder is None:
                self._ladder = Ladder.of(self._line, fact, self._oldest)
            climbed = 0 if self._ladder is None else self._ladder.climb(coming, self._done, upto)
            if not climbed:
                line = self.arrived()
                step(line, fact)
                if self._oldest is not None:
                    self._oldest.append((line.on, _oldest_due(line)))
            self._done += climbed or 1

    def days_past_due(self, days: Iterable[date]) -> list[int]:
        """Return the days past due on days of the way so far, in order, as the line watched it."""
        assert self._oldest is not None, "nobody watched"
        found, coming = list[int](), iter(self._oldest)
        due, later = None, next(coming, None)
        for day in days:
            while later is not None and later[0] <= day:
                due, later = later[1], next(coming, None)
            found.append((day - due).days if due is not None and due < day else 0)
        return found

    def all_counted(self) -> bool:
        """Say whether there were facts, and all have counted."""
        return 0 < self._done == len(self._coming)

    def arrived(self) -> Timeline:
        """Return the line, with everything booked that was paid on the way."""
        if self._ladder is not None:
            self._ladder.leave()
            self._ladder = None
        return self._line


def _oldest_due(line: Timeline) -> date | None:
    """Return the due date of the oldest row of which something is unpaid."""
    return next((row.due_on for row in line.rows if row.unpaid > 0), None)
