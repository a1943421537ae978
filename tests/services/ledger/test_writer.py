"""The one writer, where callers hang up, answers are lost and requests come again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from services.ledger.application.asks import Ask
from services.ledger.application.ports import LogUnavailable
from services.ledger.application.posting import BUSINESS_DAY, Writer
from services.ledger.domain import commands as cmd
from services.ledger.domain.book_events import BusinessDateAdvanced, RequestAnswered
from services.ledger.domain.refusals import DateOutOfOrder
from tests.services.ledger.book import open_book

DAY, NEXT = date(2026, 1, 5), date(2026, 1, 6)
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)


class Troubled:
    """The real log with a slow append, or one whose answer is lost once, or that cannot be read."""

    def __init__(self, log: Any, seconds: float = 0.0, lost: int = 0, deaf: int = 0) -> None:
        self.log, self.seconds, self.lost, self.deaf = log, seconds, lost, deaf

    def __getattr__(self, name: str) -> Any:
        return getattr(self.log, name)

    def append(self, streams: Sequence[Any]) -> None:
        time.sleep(self.seconds)
        self.log.append(streams)
        if self.lost:
            self.lost -= 1
            raise LogUnavailable("the answer is lost")

    def stream(self, originator_id: str, version_max: int | None = None) -> list[Any]:
        if self.deaf and originator_id == BUSINESS_DAY:
            self.deaf -= 1
            raise LogUnavailable("the log does not answer")
        return self.log.stream(originator_id, version_max)


def closing(on: date) -> BusinessDateAdvanced:
    """Return the event that closes days up to a date."""
    return BusinessDateAdvanced(
        on=on, recorded_at=NOW, request_id="r", loans_changed=0, loans_touched=0
    )


def repayment(request_id: str, amount_minor: int) -> Ask:
    """Ask for a repayment on the day."""
    command = cmd.PostRepayment(
        loan_id="L-1",
        request_id=request_id,
        recorded_at=NOW,
        business_on=None,
        value_on=DAY,
        amount_minor=amount_minor,
        currency="CNY",
    )
    return Ask(command, f"hash-{request_id}")


async def test_a_request_again_does_not_refuse_its_neighbour(tmp_path: Path) -> None:
    """Of 12,000.00, 5,000.00 are paid; the same request again beside a new one of 6,000.00."""
    async with open_book(tmp_path) as book:
        await book.ageing.advance(DAY, "day-1", NOW)
        await book.lend("L-1")
        await book.writer.ask_all([repayment("pay-1", 500_000)])

        again, new = repayment("pay-1", 500_000), repayment("pay-2", 600_000)
        await book.writer.ask_all([again, new])

        assert isinstance(again.outcome, RequestAnswered)
        assert isinstance(new.outcome, RequestAnswered), new.outcome
        account = book.writer.account("L-1")
        assert account is not None
        line = account.timeline(DAY)
        assert line is not None and line.received == 1_100_000


async def test_a_day_is_closed_for_a_caller_who_hangs_up(tmp_path: Path) -> None:
    """Log and writer agree afterwards, and the next day can be closed."""
    async with open_book(tmp_path) as book:
        writer: Writer = book.writer
        await writer.close_day(closing(DAY))
        writer.log = Troubled(writer.log, seconds=0.1)
        asked = asyncio.ensure_future(writer.close_day(closing(NEXT)))
        await asyncio.sleep(0.02)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

        await writer.close_day(closing(date(2026, 1, 7)))
        days = [day.on for day in writer.log.stream(BUSINESS_DAY)]
        assert days == [DAY, NEXT, date(2026, 1, 7)]
        assert writer.business_on == days[-1]


async def test_a_day_whose_answer_was_lost_is_closed_once(tmp_path: Path) -> None:
    """The log is asked what became of it."""
    async with open_book(tmp_path) as book:
        writer: Writer = book.writer
        writer.log = Troubled(writer.log, lost=1)
        await writer.close_day(closing(DAY))

        assert writer.business_on == DAY
        assert [day.on for day in writer.log.stream(BUSINESS_DAY)] == [DAY]


async def test_what_is_weighed_counts_on_the_day_of_the_log(tmp_path: Path) -> None:
    """A day was closed, its answer lost and the log not read again: it is before anything else."""
    async with open_book(tmp_path) as book:
        writer: Writer = book.writer
        await writer.close_day(closing(DAY))
        await book.lend("L-1")
        writer.log = Troubled(writer.log, lost=1, deaf=1)
        with pytest.raises(LogUnavailable):
            await writer.close_day(closing(NEXT))

        weighed = await writer.weigh(repayment("pay-1", 100).command)
        assert weighed.business_on == NEXT


async def test_another_writer_closes_a_day_first(tmp_path: Path) -> None:
    """The later date of two is closed behind the earlier one; the earlier one is refused."""
    async with open_book(tmp_path) as book:
        writer, other = book.writer, Writer(book.writer.log)
        await other.close_day(closing(DAY))
        await writer.close_day(closing(NEXT))
        assert writer.business_on == NEXT

        await other.close_day(closing(date(2026, 1, 8)))
        with pytest.raises(DateOutOfOrder):
            await writer.close_day(closing(date(2026, 1, 7)))
        assert writer.business_on == date(2026, 1, 8)
        days = [day.on for day in writer.log.stream(BUSINESS_DAY)]
        assert days == [DAY, NEXT, date(2026, 1, 8)]


async def test_nothing_is_settled_while_work_of_a_caller_who_left_waits() -> None:
    """It will be recorded with the instant at which it was asked."""
    writer = Writer(Troubled(None))
    ask = repayment("pay-1", 1)
    asked = asyncio.ensure_future(writer.ask_all([ask]))
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)

    assert writer.settled_at(datetime.now(UTC)) < ask.command.recorded_at


async def test_a_day_that_a_caller_left_is_not_reopened_nor_settled_early(tmp_path: Path) -> None:
    """The one who hangs up closes the later day; the next one asks for the earlier day."""
    async with open_book(tmp_path) as book:
        writer: Writer = book.writer
        writer.log = Troubled(writer.log, seconds=0.1)
        left = asyncio.ensure_future(writer.close_day(closing(NEXT)))
        await asyncio.sleep(0.02)
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left

        assert writer.settled_at(datetime.now(UTC)) < NOW
        with pytest.raises(DateOutOfOrder):
            await writer.close_day(closing(DAY))
        await writer.close_day(closing(NEXT))

        days = writer.log.stream(BUSINESS_DAY)
        assert [day.on for day in days if isinstance(day, BusinessDateAdvanced)] == [NEXT]
        assert writer.business_on == NEXT
        assert not writer.open
