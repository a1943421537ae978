"""Replay, backdating and ageing, measured without a network between."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import msgspec

from services.ledger.adapters.event_mapper import decode_all, encode, topic_of
from services.ledger.domain import commands as cmd
from services.ledger.domain.kept import KEEPER
from services.ledger.domain.loan_account import fold
from services.ledger.domain.schedule import schedule
from services.ledger.domain.terms import RepaymentMethod
from shared.kernel.dates import add_months
from tests.bench.floors import default_replay
from tests.bench.measures import Measure
from tests.services.ledger.book import open_book
from tests.services.ledger.domain.desk import TERMS, Desk

LONG = msgspec.structs.replace(
    TERMS, method=RepaymentMethod.LEVEL_INSTALMENT, instalments=24, penalty_rate_annual=Decimal(0)
)
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def two_years(instalments: int = 24) -> Desk:
    """Return a loan that is 701 days old, nearly all of what fell due paid on its day."""
    terms = msgspec.structs.replace(LONG, instalments=instalments)
    desk, level = Desk(terms), schedule(terms, date(2026, 1, 5))[0]
    paid = (level.principal_due_minor + level.interest_due_minor) * 99 // 100
    for k in range(23):
        desk.go_to(add_months(date(2026, 2, 5), k))
        desk.repay(f"{Decimal(paid) / 100:.2f}")
    desk.go_to(date(2027, 12, 7))
    return desk


def replay(loans: int, runs: int) -> Measure:
    """Measure decoding and folding stored loans against the library's default aggregates."""
    measure = Measure(
        "replay", "events/s of CPU", "eventsourcing's default aggregates, same length"
    )
    stored = [(topic_of(event), encode(event)) for event in two_years().events]
    for _ in range(runs):
        started = process_time()
        for _ in range(loans):
            fold(decode_all(stored))
        ours = loans * len(stored) / (process_time() - started)
        measure.add(ours, default_replay(max(10, loans // 20), len(stored)))
    return measure


def repay_on(desk: Desk, on: date, count: int) -> float:
    """Return the median seconds of CPU of repayments that count on a date, one after the other."""
    seconds = []
    for _ in range(count):
        started = process_time()
        desk.ask(cmd.PostRepayment, value_on=on, amount_minor=1, currency="CNY")
        seconds.append(process_time() - started)
    return median(seconds)


def backdated(runs: int, count: int) -> Measure:
    """Measure deciding a repayment that counts 700 days ago against one that counts today."""
    measure = Measure("backdated", "s of CPU", "a repayment of today into the same loan")
    for _ in range(runs):
        desk = two_years()
        current = repay_on(desk, desk.on, count)
        measure.add(repay_on(two_years(), desk.on - timedelta(days=700), count), current)
    return measure


def backdated_first(runs: int, count: int) -> Measure:
    """Measure the first repayment 700 days back into a loan: it restates 91 standings as well."""
    measure = Measure("backdated_first", "s of CPU", "a repayment of today into the same loan")
    for _ in range(runs):
        desk = two_years()
        on = desk.on - timedelta(days=700)
        # Each right after its loan was made: all have one id, and one is kept under it.
        first = median(repay_on(two_years(), on, 1) for _ in range(count))
        desk = two_years()
        measure.add(first, repay_on(desk, desk.on, count))
    return measure


async def _aged(folder: Path, loans: int, due: int) -> float:
    """Return the seconds of an end-of-day in which so many of so many loans change."""
    folder.mkdir(parents=True)
    KEEPER.lines.clear()
    early, late = (
        msgspec.structs.replace(LONG, first_due_on=day)
        for day in (date(2026, 2, 5), date(2026, 2, 9))
    )
    async with open_book(folder) as book:
        await book.go_to(date(2026, 1, 5))
        for first in range(0, loans, 2_000):
            numbers = range(first, min(loans, first + 2_000))
            await asyncio.gather(
                *[book.lend(f"L-{k}", early if k < due else late) for k in numbers]
            )
        await book.ageing.followers.caught_up()
        started = perf_counter()
        closed = await book.ageing.advance(date(2026, 2, 5), "day-2", datetime.now(UTC))
        seconds = perf_counter() - started
        assert closed.loans_changed == due
    return seconds


async def ageing_growth(folder: Path, runs: int, due: int, times: int) -> Measure:
    """Measure the same changes in a book so many times larger."""
    measure = Measure(
        "ageing_growth.sqlite", "s", f"{due} changes in a book of {due}", store="sqlite file"
    )
    for run in range(runs):
        large = await _aged(folder / f"large-{run}", due * times, due)
        measure.add(large, await _aged(folder / f"small-{run}", due, due))
    return measure
