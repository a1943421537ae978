"""Long answers about the whole book: its events and what changed of it, part by part."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

from lending.ledger.v1 import audit_service_pb2 as pb
from lending.ledger.v1 import ledger_service_pb2

from services.ledger import wire_audit
from services.ledger.adapters.event_mapper import TOPICS, decode
from services.ledger.application.book_questions import (
    LOANS,
    LOANS_AT_ONCE,
    BookDifference,
    LoanCompared,
    compared,
    loans_of,
)
from services.ledger.application.log_events import Wanted, check, kind_of, pages_of
from services.ledger.application.ports import Searched
from services.ledger.domain.difference import Look
from services.ledger.domain.refusals import BusinessDateNotSet
from shared.kernel.dates import parse_date
from shared.runtime.requests import a_loan, an_instant

EVENTS_MAX, BYTES_MAX, LOANS_MAX = 200, 1 << 20, 100
"""Of one part: events, bytes of their bodies, loans."""

KINDS = frozenset(kind_of(topic) for topic in TOPICS)


@dataclass(slots=True)
class BookReads:
    """Answers from the log, a page in memory at a time, beside the ledger's other work."""

    log: Searched
    today: Callable[[], date | None]
    settled: Callable[[], datetime]
    comparing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    async def events(self, request: pb.StreamEventsRequest) -> AsyncIterator[Any]:
        """Yield events in the order of the log; the request then says how far it goes."""
        if not request.until_position:
            request.until_position = await asyncio.to_thread(self.log.last_position)
        wanted = _wanted(request)
        await asyncio.to_thread(check, wanted, self.log, KINDS)
        pages, part, size = pages_of(self.log, wanted, decode), pb.StreamEventsResponse(), 0
        while (page := await asyncio.to_thread(next, pages, None)) is not None:
            for read in page.events:
                if len(part.events) == EVENTS_MAX or size > BYTES_MAX:
                    yield part
                    part, size = pb.StreamEventsResponse(), 0
                part.events.append(wire_audit.logged_event(read))
                size += len(read.row.state)
            said = pb.Progress(done=page.position, of=wanted.until)
            yield pb.StreamEventsResponse(progress=said)
        if part.events:
            yield part

    async def compare(self, request: pb.CompareBookRequest) -> AsyncIterator[Any]:
        """Yield loans that differ, and then the book; the request then states its looks."""
        looks = (self._look(request.before), self._look(request.after))
        of = await asyncio.to_thread(self.log.count, LOANS)
        books: dict[str, BookDifference] = {}
        part, done, each = pb.CompareBookResponse(), 0, compared(loans_of(self.log), *looks)
        yield pb.CompareBookResponse(progress=pb.Progress(of=of))
        while some := await self._next(each):
            done += len(some)
            for one in filter(None, some):
                books.setdefault(one.currency, BookDifference()).add(one)
                if one.steps and not request.book_only:
                    part.loans.append(wire_audit.loan_difference(one))
                if len(part.loans) == LOANS_MAX:
                    yield part
                    part = pb.CompareBookResponse()
            yield pb.CompareBookResponse(progress=pb.Progress(done=done, of=max(done, of)))
        if part.loans:
            yield part
        found = [wire_audit.book_difference(name, one) for name, one in sorted(books.items())]
        yield pb.CompareBookResponse(books=found)

    async def _next(self, each: Iterator[LoanCompared | None]) -> list[LoanCompared | None]:
        """Compare some loans; however many books are compared, one thread does it."""
        async with self.comparing:
            return await asyncio.to_thread(lambda: list(islice(each, LOANS_AT_ONCE)))

    def _look(self, said: ledger_service_pb2.Look) -> Look:
        """Read a look, and state what it leaves to the ledger."""
        on = parse_date(said.effective_on, field="effective_on") if said.effective_on else None
        on = on or self.today()
        if on is None:
            raise BusinessDateNotSet("the ledger has no business date yet")
        said.effective_on = on.isoformat()
        if not said.known_at:
            said.known_at = self.settled().astimezone(UTC).isoformat()
        return Look(on, an_instant(said.known_at, "known_at"))


def _wanted(request: pb.StreamEventsRequest) -> Wanted:
    """Read which events are wanted."""

    def instant(name: str) -> datetime | None:
        text = getattr(request, name)
        return an_instant(text, name) if text else None

    def on(name: str) -> date | None:
        text = getattr(request, name)
        return parse_date(text, field=name) if text else None

    return Wanted(
        loan_id=a_loan(request.loan_id) if request.loan_id else "",
        after=request.after_position,
        until=request.until_position,
        recorded_since=instant("recorded_since"),
        recorded_until=instant("recorded_until"),
        effective_since=on("effective_since"),
        effective_until=on("effective_until"),
        kinds=frozenset(request.kinds),
    )
