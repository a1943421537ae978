"""What is kept in memory is bounded by bytes, and what is not kept is read again, the same."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.adapters.event_mapper import decode, encode, topic_of
from services.ledger.adapters.event_store import open_event_store
from services.ledger.application.posting import Writer
from services.ledger.domain import kept as keeping
from services.ledger.domain import loan_account as accounts
from services.ledger.domain.kept import Keeper
from services.ledger.domain.loan_account import fold
from services.ledger.domain.refusals import LoanChangedMeanwhile
from shared.kernel.bounded import Bounded
from tests.services.ledger.book import Book, open_book
from tests.services.ledger.domain.desk import TERMS, Desk

TIMES = 20
NEAR = (0.6, 1.7)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 60)), max_size=60))
def test_those_used_longest_ago_go_first(puts: list[tuple[str, int]]) -> None:
    """Never above the bound, unless one value alone is; what is there is what was put last."""
    bounded, truth = Bounded[int](100, lambda size: size), {}

    for name, size in puts:
        bounded.put(name, size)
        truth[name] = size
        assert bounded.get(name) == size
        assert bounded.bytes == sum(truth[n] for n in bounded)
        assert bounded.bytes <= 100 or len(bounded) == 1
        assert list(bounded)[-1] == name
        bounded.get(next(iter(bounded)))


@pytest.mark.parametrize(("instalments", "repayments"), [(12, 0), (12, 200), (360, 20), (60, 60)])
def test_the_estimate_of_bytes_is_near_the_truth(instalments: int, repayments: int) -> None:
    """Accounts and timelines, as the interpreter's own count has them."""
    desk = Desk(msgspec.structs.replace(TERMS, instalments=instalments))
    for _ in range(repayments):
        desk.repay("0.01")
    stored = [(topic_of(event), encode(event)) for event in desk.events]
    gc.collect()

    tracemalloc.start()
    folded = [fold([decode(*one) for one in stored]) for _ in range(TIMES)]
    of_accounts = tracemalloc.get_traced_memory()[0]
    keepers = [Keeper() for _ in folded]
    for keeper, account in zip(keepers, folded, strict=True):
        paid_out = (account.disbursed_on, account.disbursed_minor)
        keeper.timeline("L-1", account.terms, paid_out, account.counting, desk.on)
    of_lines = tracemalloc.get_traced_memory()[0] - of_accounts
    tracemalloc.stop()

    assert NEAR[0] < accounts.size_of(desk.account) * TIMES / of_accounts < NEAR[1]
    assert NEAR[0] < keepers[0].lines.bytes * TIMES / of_lines < NEAR[1]


async def a_month(folder: Path, bytes_max: int) -> tuple[list[tuple[str, int, str, bytes]], int]:
    """Thirty loans, three rounds of repayments, a month end; with so much memory for accounts."""
    async with open_book(folder) as book:
        book.writer.accounts.bytes_max = bytes_max
        await book.go_to(date(2026, 1, 5))
        names = [f"L-{k}" for k in range(30)]
        for name in names:
            await book.lend(name)
        for amount in (100, 200, 300):
            for name in names:
                await book.repay(name, amount)
        await book.go_to(date(2026, 2, 9))
        rows = book.writer.log.log(0, 10_000)
        facts = [decode(row.topic, row.state) for row in rows]
        plain = [
            encode(msgspec.structs.replace(fact, recorded_at=datetime(2026, 1, 1, tzinfo=UTC)))
            if hasattr(fact, "recorded_at")
            else row.state
            for row, fact in zip(rows, facts, strict=True)
        ]
        found = [
            (row.originator_id, row.version, row.topic, state)
            for row, state in zip(rows, plain, strict=True)
        ]
        return found, len(book.writer.accounts)


def test_a_book_is_the_same_however_little_is_kept(tmp_path: Path, monkeypatch) -> None:
    """With room for one account every command reads its loan again; the log does not differ."""
    (tmp_path / "much").mkdir()
    (tmp_path / "little").mkdir()

    much, many = asyncio.run(a_month(tmp_path / "much", 1 << 30))
    monkeypatch.setattr(keeping.KEEPER.lines, "bytes_max", 1)
    little, few = asyncio.run(a_month(tmp_path / "little", 1))

    assert (many, few) == (30, 1)
    assert little == much


def test_two_writers_with_little_memory_lose_nothing(tmp_path: Path) -> None:
    """A second writer on the same log makes the first read again, whatever it kept or let go."""

    async def both() -> tuple[int, list[int]]:
        async with open_book(tmp_path) as book:
            await book.go_to(date(2026, 1, 5))
            for name in names:
                await book.lend(name)
            store, stop = (
                open_event_store(f"sqlite+aiosqlite:///{tmp_path}/ledger.db"),
                asyncio.Event(),
            )
            other = Book(Writer(store), book.models, book.ageing, book.loans, 10_000)
            other.writer.load_business_date()
            running = asyncio.create_task(other.writer.run(stop))
            for one in (book, other):
                one.writer.accounts.bytes_max = 5_000
            await asyncio.gather(*[repay_all(one) for one in (book, other, book, other)])
            stop.set()
            await running
            store.close()
            folded = [fold(book.writer.log.stream(f"loan/{name}")) for name in names]
            return len(book.writer.accounts), [len(account.facts) for account in folded]

    async def repay_all(book: Book) -> None:
        for name in 10 * names:
            while True:  # As a caller does who lost the race for a loan.
                with suppress(LoanChangedMeanwhile):
                    await book.repay(name, 100)
                    break

    names = [f"L-{k}" for k in range(6)]
    held, facts = asyncio.run(both())

    assert held <= 2
    assert facts == [40] * 6
