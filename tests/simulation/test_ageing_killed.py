"""The end of a day is killed half way, for real, and goes on with the loans that are left."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

import grpc
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from services.ledger.adapters.event_store import open_event_store
from services.ledger.application.asks import Ask
from services.ledger.domain import commands as cmd
from services.ledger.domain.events import TransitionRecorded
from tests.services.ledger.book import open_book
from tests.services.ledger.domain.desk import TERMS
from tests.system.one_ledger import Ledger, ledger_on

LOANS = 1_200
STARTS_ON, DUE_ON = date(2026, 1, 5), date(2026, 2, 6)


async def lend_many(folder: Path) -> None:
    """Open and pay out so many loans, each with an instalment due on 5 February."""
    async with open_book(folder) as book:
        await book.go_to(STARTS_ON)
        asked = {"recorded_at": datetime.now(UTC), "business_on": None}
        opened = {"borrower_ref": "B-1", "product": "p", "terms": TERMS}
        paid = {"value_on": STARTS_ON, "amount_minor": TERMS.principal_minor, "currency": "CNY"}
        asks = []
        for k in range(LOANS):
            loan = {"loan_id": f"L-{k:04}", **asked}
            asks.append(Ask(cmd.OpenLoan(request_id=f"open-{k}", **loan, **opened), f"o{k}"))
            asks.append(Ask(cmd.DisburseLoan(request_id=f"out-{k}", **loan, **paid), f"p{k}"))
        await book.writer.ask_all(asks)


async def close(ledger: Ledger, *, kill: bool) -> tuple[int, int, pb.BusinessDate | None]:
    """Close days up to the date; with `kill`, kill -9 as soon as some loans are done."""
    async with ledger.channel() as channel:
        stub = LedgerServiceStub(channel)
        request = pb.AdvanceBusinessDateRequest(request_id="day-2", to=DUE_ON.isoformat())
        closing = asyncio.ensure_future(stub.AdvanceBusinessDate(request, wait_for_ready=True))
        due = done = 0
        while kill and not done:
            seen = await stub.GetBusinessDate(pb.GetBusinessDateRequest(), wait_for_ready=True)
            due, done = seen.run.loans_due, seen.run.loans_done
        if not kill:
            return due, done, await closing
        await asyncio.to_thread(ledger.service.kill)
        answered = await asyncio.gather(closing, return_exceptions=True)
        assert isinstance(answered[0], grpc.aio.AioRpcError)
        return due, done, None


def test_an_end_of_day_that_was_killed_goes_on(tmp_path: Path) -> None:
    """Each loan changes once, as in a run that was not cut short; what was done is not redone."""
    asyncio.run(lend_many(tmp_path))

    with ledger_on(f"sqlite+aiosqlite:///{tmp_path}/ledger.db", tmp_path) as ledger:
        due, done, _ = asyncio.run(close(ledger, kill=True))
        half = changes(ledger.url)
        ledger.service.start()
        _, _, closed = asyncio.run(close(ledger, kill=False))
        whole = changes(ledger.url)

    assert (due, closed.on) == (LOANS, DUE_ON.isoformat())
    assert 0 < done <= len(half) < LOANS
    assert closed.loans_changed == LOANS - len(half)
    expected = [(date(2026, 2, 5), False), (date(2026, 2, 6), True)]
    assert list(whole.values()) == [expected] * LOANS
    assert all(whole[name] == changed for name, changed in half.items())


def changes(url: str) -> dict[str, list[tuple[date, bool]]]:
    """Return what the end of the day recorded, by loan: on which date, and if it is late then."""
    store, found = open_event_store(url), {}
    for name in (f"L-{k:04}" for k in range(LOANS)):
        told = [
            (event.effective_on, event.standing.days_past_due > 0)
            for event in store.stream(f"loan/{name}")
            if isinstance(event, TransitionRecorded) and event.request_id == "day-2"
        ]
        if told:
            found[name] = told
    store.close()
    return found
