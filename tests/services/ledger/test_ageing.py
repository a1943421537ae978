"""Closing days: part by part, once, with progress, whatever comes between."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest

from services.ledger.adapters.tables import LOAN_SUMMARY
from services.ledger.application import posting
from services.ledger.application.ageing import AgeingRun
from services.ledger.application.rows import StandingRow, standing_row
from services.ledger.domain.events import TransitionRecorded
from services.ledger.domain.loan_account import fold
from services.ledger.domain.refusals import RequestIdReused
from tests.services.ledger.book import Book, open_book
from tests.services.ledger.domain.desk import TERMS

DUE_ON, OTHER_DUE_ON = date(2026, 2, 5), date(2026, 2, 20)
LATE = msgspec.structs.replace(TERMS, first_due_on=OTHER_DUE_ON)


async def lend(book: Book, due: int, others: int) -> None:
    """Pay loans out: some with an instalment due on 5 February, others later."""
    await book.go_to(date(2026, 1, 5))
    for k in range(due + others):
        await book.lend(f"L-{k:03}", TERMS if k < due else LATE)


def transitions(book: Book, loans: int) -> list[int]:
    """Return how many transitions each loan has on the due date."""
    streams = (book.writer.log.stream(f"loan/L-{k:03}") for k in range(loans))
    return [
        sum(isinstance(e, TransitionRecorded) and e.effective_on == DUE_ON for e in events)
        for events in streams
    ]


async def advance(book: Book, request_id: str = "day-2") -> tuple[int, int]:
    closed = await book.ageing.advance(DUE_ON, request_id, datetime.now(UTC))
    return closed.loans_changed, closed.loans_touched


def test_only_loans_whose_date_has_come_are_touched(tmp_path: Path) -> None:
    """Seven of ten, in parts of three; the same date by another request touches none."""

    async def run() -> tuple[list[tuple[int, int]], list[int]]:
        async with open_book(tmp_path) as book:
            book.ageing.part = 3
            await lend(book, 7, 3)
            return [await advance(book), await advance(book, "day-3")], transitions(book, 10)

    closed, found = asyncio.run(run())

    assert closed == [(7, 7), (0, 0)]
    assert found == [1] * 7 + [0] * 3


def test_a_request_closes_one_day(tmp_path: Path) -> None:
    """Again, also by a ledger started again, it gets its first answer; no other date is closed."""

    async def run() -> None:
        async with open_book(tmp_path) as book:
            await lend(book, 2, 1)
            first = await advance(book)
            await book.go_to(date(2026, 2, 6))
            assert await advance(book) == first == (2, 2)
        async with open_book(tmp_path) as book:
            assert await advance(book) == first
            with pytest.raises(RequestIdReused):
                await book.ageing.advance(date(2026, 2, 20), "day-2", datetime.now(UTC))
            assert book.writer.business_on == date(2026, 2, 6)

    asyncio.run(run())


def test_nobody_reads_a_loan_only_to_say_how_late_it_is(tmp_path: Path) -> None:
    """Loans that were let go of are aged; the read models know it, the follower's memory not."""

    async def run() -> tuple[list[StandingRow], list[StandingRow], int]:
        async with open_book(tmp_path) as book:
            await lend(book, 5, 2)
            follower = book.ageing.followers.follower
            await book.ageing.followers.caught_up()
            follower.accounts.clear()
            await advance(book)
            await book.ageing.followers.caught_up()
            rows = await book.models.all_rows(LOAN_SUMMARY)
            accounts = [fold(book.writer.log.stream(f"loan/L-{k:03}")) for k in range(7)]
            shown = [StandingRow(*[row[name] for name in StandingRow._fields]) for row in rows]
            return shown, [standing_row(one) for one in accounts], len(follower.accounts)

    shown, true, kept = asyncio.run(run())

    assert shown == true
    assert kept == 0


def test_more_loans_are_due_than_may_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound on what callers may queue does not stop the end of the day."""
    monkeypatch.setattr(posting, "WAITING_MAX", 5)

    async def run() -> tuple[int, int]:
        async with open_book(tmp_path) as book:
            book.ageing.part = 10
            await lend(book, 30, 0)
            closed, _ = await asyncio.gather(advance(book), book.repay("L-000", 100))
            return closed

    assert asyncio.run(run())[0] == 30


def test_a_caller_who_hangs_up_leaves_what_was_done(tmp_path: Path) -> None:
    """Cancelled between parts, the run goes on with the loans that are left."""

    async def run() -> tuple[AgeingRun, date | None, tuple[int, int], list[int]]:
        async with open_book(tmp_path) as book:
            book.ageing.part = 4
            await lend(book, 20, 2)
            hung_up = asyncio.ensure_future(advance(book))
            while book.ageing.run is None or not 0 < book.ageing.run.loans_done < 20:
                await asyncio.sleep(0)
            seen = book.ageing.run
            hung_up.cancel()
            await asyncio.gather(hung_up, return_exceptions=True)
            between = book.writer.business_on
            return seen, between, await advance(book), transitions(book, 22)

    seen, between, (changed, _), found = asyncio.run(run())

    assert seen.loans_due == 20
    assert between == date(2026, 1, 5)
    assert 0 < changed < 20
    assert found == [1] * 20 + [0] * 2


@pytest.mark.parametrize(
    ("due", "done", "seconds", "rate", "left"),
    [
        (100, 0, 0.0, 0, 0),
        (100, 50, 2.0, 25, 2),
        (100, 99, 3.0, 33, 1),
        (100, 100, 3.0, 33, 0),
        (1_000_000, 250_000, 100.0, 2_500, 300),
    ],
)
def test_progress_says_rate_and_time_left(
    due: int, done: int, seconds: float, rate: int, left: int
) -> None:
    """Whole loans per second so far, whole seconds left, rounded up."""
    run = AgeingRun(DUE_ON, due, done, done, seconds)

    assert (run.loans_per_second, run.seconds_left) == (rate, left)
