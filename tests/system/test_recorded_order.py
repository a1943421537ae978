"""Within a loan, what was recorded later is never known earlier: every cut is a loan that stood."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.ledger.adapters.event_store import open_event_store
from services.ledger.application.asks import Ask
from services.ledger.application.posting import Writer
from services.ledger.application.reading import facts_of, see_loan
from services.ledger.domain import commands as cmd
from services.ledger.domain.approvals import ApprovalExpired
from services.ledger.domain.book_events import RequestAnswered
from tests.services.ledger.book import Book, open_book
from tests.system.conftest import new_database

DAY, LATER = date(2026, 1, 5), date(2026, 3, 6)
NOW = datetime(2026, 3, 6, 9, tzinfo=UTC)


def asked(request_id: str, seconds: int, kind: type[cmd.Asked], **more: Any) -> Ask:
    """Ask something of L-1 so many seconds after nine; `until` is when its approval ends."""
    until = more.pop("until", None)
    head: dict[str, Any] = {"loan_id": "L-1", "request_id": request_id, "business_on": None}
    command = kind(**head, recorded_at=NOW + timedelta(seconds=seconds), **more)
    return Ask(command, f"hash-{request_id}", approved_until=until)


def paid(request_id: str, seconds: int, amount_minor: int) -> Ask:
    """Ask for a repayment so many seconds after nine."""
    kind = {"value_on": LATER, "amount_minor": amount_minor, "currency": "CNY"}
    return asked(request_id, seconds, cmd.PostRepayment, **kind)


async def lent(book: Book) -> Writer:
    """Lend L-1 on the first day and go to the later one, long before nine."""
    book.now = lambda: NOW - timedelta(days=1)
    await book.go_to(DAY)
    await book.lend("L-1")
    await book.go_to(LATER)
    return book.writer


def recorded(writer: Writer) -> list[int]:
    """Return, of what was recorded since nine, the seconds after nine, in the log's order."""
    since = [one.recorded_at - NOW for one in facts_of(writer.log, "L-1")]
    return [int(each.total_seconds()) for each in since if each >= timedelta(0)]


def every_cut_stood(writer: Writer) -> None:
    """Whatever instant a reader names, it sees the loan as it was after one of its events."""
    events = facts_of(writer.log, "L-1")
    for event in events:
        seen = see_loan(writer.log, "L-1", LATER, known_at=event.recorded_at)
        known = [one for one in events if one.recorded_at <= event.recorded_at]
        assert known == events[: seen.account.version]


async def test_a_batch_that_was_read_slowly_is_known_after_what_overtook_it(
    tmp_path: Path,
) -> None:
    """
    Asked at nine, on its way for ten seconds; two repayments and a reversal of one overtake it.

    asked | what                | recorded
        4 | repay 100.00        |        4
        7 | take that back      |        7
        0 | a batch of the two  |        7
        8 | repay 3.00          |        8
    """
    async with open_book(tmp_path) as book:
        writer = await lent(book)
        batch = [paid("batch-1", 0, 100), paid("batch-2", 0, 200)]
        back = asked("back", 7, cmd.ReverseRepayment, repayment_id="pay", reason="debit returned")
        with writer.recording(NOW):
            await writer.ask_all([paid("pay", 4, 10_000)])
            await writer.ask_all([back])
            assert writer.settled_at(NOW + timedelta(seconds=9)) < NOW
            await writer.ask_all(batch, atomic=True)
        await writer.ask_all([paid("last", 8, 300)])

        seconds = recorded(writer)
        assert seconds == sorted(seconds) and set(seconds) == {4, 7, 8}
        assert all(isinstance(ask.outcome, RequestAnswered) for ask in [back, *batch])
        every_cut_stood(writer)


async def test_what_is_asked_earlier_in_one_commit_is_not_known_before(tmp_path: Path) -> None:
    """Three repayments wait together, the queue's order being another than the clock's."""
    async with open_book(tmp_path) as book:
        writer = await lent(book)
        await writer.ask_all([paid("a", 5, 100), paid("b", 2, 100), paid("c", 3, 100)])

        assert set(recorded(writer)) == {5}
        every_cut_stood(writer)


async def test_a_ledger_that_was_started_again_goes_on_from_what_the_log_says(
    tmp_path: Path,
) -> None:
    """Its clock is behind the one it had before."""
    async with open_book(tmp_path) as book:
        writer = await lent(book)
        await writer.ask_all([paid("a", 60, 100)])
    async with open_book(tmp_path) as book:
        await book.writer.ask_all([paid("b", 0, 100)])

        assert set(recorded(book.writer)) == {60}
        every_cut_stood(book.writer)


@pytest.fixture(params=["sqlite", "postgres"])
def log_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of an empty log."""
    if request.param == "postgres":
        return new_database(request.getfixturevalue("postgres"), "recorded_order")
    return f"sqlite+aiosqlite:///{tmp_path}/ledger.db"


async def test_of_two_processes_the_one_whose_clock_is_behind_follows(
    log_url: str, tmp_path: Path
) -> None:
    """Each remembers the loan as it left it, and finds that the other was there."""
    async with open_book(tmp_path, log_url) as book:
        writer = await lent(book)
        other = Writer(open_event_store(log_url))
        other.load_business_date()
        turns = [(writer, 30), (other, 10), (writer, 20), (other, 40), (writer, 35)]
        for number, (who, seconds) in enumerate(turns):
            ask = paid(f"pay-{number}", seconds, 100)
            who.commit([ask])
            assert isinstance(ask.outcome, RequestAnswered)
        other.log.close()

        assert set(recorded(writer)) == {30, 40}
        assert recorded(writer) == sorted(recorded(writer))
        every_cut_stood(writer)


async def test_an_approval_that_ended_before_the_change_can_be_recorded(tmp_path: Path) -> None:
    """
    A change is approved until ten seconds after nine, and asked for in time.

    the loan's last fact is of | the change is
                             9 | recorded
                            10 | refused: it would be recorded when nobody's word holds any more
    """
    until = NOW + timedelta(seconds=10)
    for last, held in [(9, True), (10, False)]:
        folder = tmp_path / str(last)
        folder.mkdir()
        async with open_book(folder) as book:
            writer = await lent(book)
            back = asked(
                "back", 1, cmd.ReverseRepayment, repayment_id="pay", reason="r", until=until
            )
            await writer.ask_all([paid("pay", 0, 100), paid("next", last, 100), back])

            if held:
                assert isinstance(back.outcome, RequestAnswered)
            else:
                assert isinstance(back.outcome, ApprovalExpired)
            assert set(recorded(writer)) == {0, last}
