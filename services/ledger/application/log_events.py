"""Look through the log: the events of a loan, a period or the whole book, in its order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime
from typing import Any, NamedTuple

import msgspec

from services.ledger.application.ports import Logged, Searched
from services.ledger.domain.refusals import LoanNotFound
from shared.kernel.errors import InvalidArgument

PAGE = 500
"""Rows that are in memory at a time."""


class PositionUnknown(InvalidArgument):
    """The log has not grown to this place, or the places are not in order."""


class PeriodEmpty(InvalidArgument):
    """A period ends before it begins."""


class EventKindUnknown(InvalidArgument):
    """The ledger stores no such event."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """
    Which events to read; what is not said leaves nothing out.

    `after` is not included, `until` is. A period by recorded time ends before its last instant, one
    by value date includes its last date; events without such a time lie in no period.
    """

    until: int
    after: int = 0
    loan_id: str = ""
    recorded_since: datetime | None = None
    recorded_until: datetime | None = None
    effective_since: date | None = None
    effective_until: date | None = None
    kinds: frozenset[str] = frozenset()

    def includes(self, event: Any) -> bool:
        """Return whether an event lies in the periods."""
        recorded = getattr(event, "recorded_at", None)
        counts = getattr(event, "effective_on", None)
        return _within(recorded, self.recorded_since, self.recorded_until, last=False) and _within(
            counts, self.effective_since, self.effective_until, last=True
        )


def _within(at: Any, since: Any, until: Any, *, last: bool) -> bool:
    if since is None and until is None:
        return True
    if at is None or (since is not None and at < since):
        return False
    return until is None or at < until or (last and at == until)


class Read(NamedTuple):
    """An event, and how it is stored."""

    row: Logged
    event: msgspec.Struct


class Page(NamedTuple):
    """The log was looked through up to here; these events of it are wanted."""

    position: int
    events: list[Read]


def check(wanted: Wanted, log: Searched, kinds: Collection[str]) -> None:
    """
    Refuse what cannot be read.

    Raises:
        PositionUnknown: the log has no such places.
        PeriodEmpty: a period ends before it begins.
        EventKindUnknown: nothing of this kind is ever stored.
        LoanNotFound: there is no such loan.
    """
    last = log.last_position()
    if not 0 <= wanted.after <= wanted.until <= last:
        raise PositionUnknown(
            f"{wanted.after} to {wanted.until} of {last}",
            field="until_position" if wanted.until > last else "after_position",
            expected=f"0 to after_position to until_position to {last}",
        )
    recorded, effective = wanted.recorded_until, wanted.effective_until
    if recorded and wanted.recorded_since and recorded <= wanted.recorded_since:
        raise PeriodEmpty("nothing is recorded in no time", field="recorded_until")
    if effective and wanted.effective_since and effective < wanted.effective_since:
        raise PeriodEmpty("the last date is before the first", field="effective_until")
    for unknown in sorted(wanted.kinds - set(kinds)):
        raise EventKindUnknown(
            f"{unknown[:60]!r} is none", field="kinds", expected=", ".join(sorted(kinds))
        )
    if wanted.loan_id and not log.stored(f"loan/{wanted.loan_id}", 1):
        raise LoanNotFound(f"loan {wanted.loan_id} does not exist", field="loan_id")


def pages_of(
    log: Searched, wanted: Wanted, decode: Callable[[str, bytes], msgspec.Struct]
) -> Iterator[Page]:
    """Yield the log page by page with the events that are wanted, in its order."""
    position, name = wanted.after, f"loan/{wanted.loan_id}"
    while position < wanted.until:
        rows = log.placed(name, position, PAGE) if wanted.loan_id else log.log(position, PAGE)
        within = [row for row in rows if row.position <= wanted.until]
        found = [
            Read(row, event)
            for row in within
            if (not wanted.kinds or kind_of(row.topic) in wanted.kinds)
            and wanted.includes(event := decode(row.topic, row.state))
        ]
        whole = len(within) == PAGE
        position = within[-1].position if whole else wanted.until
        yield Page(position, found)


def kind_of(topic: str) -> str:
    """Return what happened, by the topic: lending.ledger.RepaymentPosted is RepaymentPosted."""
    return topic.rpartition(".")[2].partition(":")[0]
