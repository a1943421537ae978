"""Look through the log alone: what no ledger of ours would have written, position by position."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from services.ledger.application.ports import Log, Logged
from services.ledger.application.verifying import PAGE, Verdict
from services.ledger.domain.book_events import (
    ChangeApproved,
    RequestAnswered,
    RequestVoided,
)
from services.ledger.domain.events import Fact, Financial, LoanOpened
from shared.audit.approvals import APPROVAL_EVENTS, ApprovalCheck

LATE_MAX = timedelta(hours=1)
"""How long a run over the book may take, whose facts are recorded as of its beginning."""


APPROVED = "what needs four eyes was approved before"


class Written(msgspec.Struct, frozen=True):
    """How events become bytes and back: decode(topic, state) and encode(event)."""

    decode: Callable[[str, bytes], msgspec.Struct]
    encode: Callable[[msgspec.Struct], bytes]


def pages(log: Log, limit: int = PAGE) -> Iterator[list[Logged]]:
    """Yield the log page by page, from its first event."""
    position = 0
    while rows := log.log(position, limit):
        yield rows
        position = rows[-1].position


@dataclass(slots=True)
class UpTo:
    """A log that is written to, as it stood at a position."""

    whole: Log
    position: int

    def log(self, after: int, limit: int) -> list[Logged]:
        """Return up to `limit` events after a position."""
        return [row for row in self.whole.log(after, limit) if row.position <= self.position]

    def __getattr__(self, name: str) -> Any:
        """Return what a log does of one stream: whoever asks knows how far."""
        return getattr(self.whole, name)


@dataclass(slots=True)
class Inspection:
    """What is wrong with a log, as one pass over it finds out."""

    written: Written
    events: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    asked: dict[tuple[str, str], int] = field(default_factory=dict)
    approved: set[tuple[str, str]] = field(default_factory=set)
    unasked: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    recorded: dict[str, datetime] = field(default_factory=dict)
    approvals: ApprovalCheck = field(default_factory=ApprovalCheck)

    def take(self, row: Logged) -> None:
        """Look at one stored event."""
        self.events += 1
        place = f"position {row.position}, {row.originator_id} version {row.version}"
        before = self.versions.get(row.originator_id, 0)
        if row.version != before + 1:
            self.gaps.append(f"{place}: the version before it is {before}")
        self.versions[row.originator_id] = row.version
        try:
            event = self.written.decode(row.topic, row.state)
        except Exception as failure:
            self.foreign.append(f"{place}: {failure}")
            return
        if self.written.encode(event) != row.state:
            self.foreign.append(f"{place}: other bytes than this ledger writes")
        name = type(event).__name__
        if name in APPROVAL_EVENTS:
            self.approvals.take(name, msgspec.json.decode(row.state), place)
        if isinstance(event, Fact):
            self._fact(row, event, place)
        if isinstance(event, ChangeApproved | RequestVoided):
            # Earlier approvals have no answer, so that one is missing is no finding.
            self.approved.add((event.request_id, event.loan_id))
        if isinstance(event, RequestAnswered):
            self._answer(row, event, place)

    def _fact(self, row: Logged, event: Fact, place: str) -> None:
        if row.originator_id != f"loan/{event.loan_id}":
            self.foreign.append(f"{place}: it says loan {event.loan_id}")
        last = self.recorded.get(row.originator_id)
        if last is not None and event.recorded_at < last - LATE_MAX:
            self.disordered.append(f"{place}: recorded before the event before it")
        self.recorded[row.originator_id] = event.recorded_at
        if isinstance(event, Financial | LoanOpened):
            self.asked[event.request_id, event.loan_id] = row.position

    def _answer(self, row: Logged, event: RequestAnswered, place: str) -> None:
        if row.originator_id != f"request/{event.request_id}":
            self.foreign.append(f"{place}: it answers {event.request_id}")
        key = (event.request_id, event.loan_id)
        if self.asked.pop(key, None) is None and key not in self.approved:
            self.unasked.append(f"{place}: answered, and no fact carries the request")
        if event.loan_version > self.versions.get(f"loan/{event.loan_id}", 0):
            self.unasked.append(f"{place}: loan {event.loan_id} has no {event.loan_version}")

    def verdicts(self) -> list[Verdict]:
        """Return what was found, by check."""
        self.approvals.finish()
        left = [
            f"position {position}: loan {loan_id} was never asked {request_id}"
            for (request_id, loan_id), position in self.asked.items()
        ]
        return [
            Verdict("versions of streams have no gap", self.events, self.gaps),
            Verdict("events are as this ledger writes them", self.events, self.foreign),
            Verdict("every fact was asked, every answer kept", self.events, self.unasked + left),
            Verdict("recorded instants do not go back", self.events, self.disordered),
            Verdict(APPROVED, self.approvals.held, self.approvals.wrong),
        ]


def inspect(
    log: Log, written: Written, progress: Callable[[int], None] = lambda position: None
) -> list[Verdict]:
    """Look through the whole log; nothing but the log is believed. Tell how far it has come."""
    inspection = Inspection(written)
    for rows in pages(log):
        for row in rows:
            inspection.take(row)
        progress(rows[-1].position)
    return inspection.verdicts()
