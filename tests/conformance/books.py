"""A book of loans in a log, made quickly, and what its stream must hold in the end."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

from msgspec.structs import replace

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.application.following import BUSINESS_DAY, Follower
from services.ledger.domain import commands as cmd
from services.ledger.wire_events import Outgoing, outgoing_of, state_of
from shared.runtime.bus import Bus
from shared.runtime.reading import Message, Reader
from shared.runtime.streams import DELINQUENCY, STREAM
from shared.subscriber.chain import Place
from shared.subscriber.digests import days_of
from shared.subscriber.snapshot import states
from tests.services.ledger.book import Book, open_book
from tests.services.ledger.domain.desk import TERMS

STARTS_ON, ENDS_ON = date(2026, 1, 5), date(2026, 6, 20)


async def make_book(folder: Path, loans: int) -> None:
    """Lend, let every loan fall behind, repay a part, backdate and reverse: hundreds of events."""
    async with open_book(folder) as book:
        await book.go_to(STARTS_ON)
        for k in range(loans):
            await book.lend(f"L-{k}")
        await book.go_to(date(2026, 3, 20))
        for k in range(loans):
            await book.repay(f"L-{k}", 50_000 + k)
            await backdate(book, f"L-{k}")
        await book.go_to(ENDS_ON)


async def more_loans(folder: Path) -> None:
    """Lend to five more, and let time pass."""
    async with open_book(folder) as book:
        on = book.writer.business_on
        assert on is not None
        for k in range(5):
            await book.lend(f"L-{on}-{k}", replace(TERMS, first_due_on=on + timedelta(days=20)))
        await book.go_to(on + timedelta(days=40))


async def backdate(book: Book, loan_id: str) -> None:
    """Post money that counts from a month ago: history is restated."""
    paid = {"value_on": date(2026, 2, 20), "amount_minor": 20_000, "currency": "CNY"}
    await book.ask(cmd.PostRepayment, loan_id, **paid)


def told_by_the_log(database: Path) -> tuple[dict[str, list[Outgoing]], dict[str, bytes]]:
    """Return what a fresh replay of the log publishes: events by loan, and last states."""
    store = open_event_store(f"sqlite+aiosqlite:///{database}")
    follower, position = Follower(store, decode), 0
    events: dict[str, list[Outgoing]] = defaultdict(list)
    last: dict[str, bytes] = {}
    while True:
        page = follower.page(position)
        if page.reached == position:
            store.close()
            return dict(events), last
        position = page.reached
        for row in page.followed:
            lane = events[row.event.loan_id]
            if said := outgoing_of(row, lane[-1].place if lane else Place()):
                lane += said
                last[row.event.loan_id] = state_of(row.account, lane[-1].place).body


async def read_all(bus: Bus, *subjects: str, stream: str = STREAM) -> list[Message]:
    """Return every message of the stream on some subjects, or of loans, as it is stored."""
    reader, found = Reader(bus.client, stream, list(subjects) or [f"{DELINQUENCY}.>"]), []
    while messages := await reader.batch(1_000, 1.0):
        found += messages
        if not messages[-1].pending:
            break
    await reader.close()
    return found


def by_loan(messages: list[Message]) -> dict[str, list[tuple[str, bytes, str]]]:
    """Return id, body and previous hash of each message, by loan, in the order of the stream."""
    found: dict[str, list[tuple[str, bytes, str]]] = defaultdict(list)
    for one in messages:
        headers = one.headers
        row = (headers["ce-id"], one.body, headers["ce-previoushash"])
        found[headers["ce-subject"]].append(row)
    return dict(found)


def wanted(events: dict[str, list[Outgoing]]) -> dict[str, list[tuple[str, bytes, str]]]:
    """Return the same of what the log tells."""
    return {
        loan_id: [(one.id, one.body, one.headers["ce-previoushash"]) for one in lane]
        for loan_id, lane in events.items()
        if lane
    }


def days_closed(database: Path) -> list[str]:
    """Return every business date that was closed, in order."""
    store = open_event_store(f"sqlite+aiosqlite:///{database}")
    days = [day.on.isoformat() for day in store.stream(BUSINESS_DAY)]
    store.close()
    return days


async def differences(bus: Bus, database: Path) -> list[str]:
    """Name every loan whose events or state in the streams are not those of the log, and days."""
    events, last = told_by_the_log(database)
    right, found = wanted(events), by_loan(await read_all(bus))
    wrong = [name for name in {*right, *found} if right.get(name) != found.get(name)]
    told = {one.loan_id: one.SerializeToString(deterministic=True) for one in await states(bus)}
    stale = [f"{name} (state)" for name in {*last, *told} if told.get(name) != last.get(name)]
    heard = await days_of(bus)
    lacking = [f"{day.digest.on}: {day.missing}" for day in heard if day.missing]
    if [day.digest.on for day in heard] != days_closed(database):
        lacking.append(f"digests of {[day.digest.on for day in heard]}")
    return sorted(wrong) + sorted(stale) + lacking
