"""Income booked when earned: one journal a month, once, and it ties out with the loans."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import msgspec

from services.ledger.adapters.event_mapper import decode
from services.ledger.application.following import Follower
from services.ledger.application.verifying import replay_log
from services.ledger.domain.accruals import month_ends
from services.ledger.domain.book_events import AccrualPosted
from tests.services.ledger.book import Book, open_book
from tests.services.ledger.domain.desk import TERMS

ACCRUAL = msgspec.structs.replace(TERMS, posting_policy="accrual/1")


def test_month_ends() -> None:
    """None inside a month, February's, and several at once."""
    assert month_ends(date(2026, 1, 5), date(2026, 1, 30)) == []
    assert month_ends(date(2026, 1, 31), date(2026, 2, 28)) == [date(2026, 2, 28)]
    assert month_ends(date(2027, 12, 31), date(2028, 3, 1)) == [
        date(2028, 1, 31),
        date(2028, 2, 29),
    ]


async def half_a_year(folder: Path) -> tuple[list[AccrualPosted], list[tuple[str, int]], object]:
    """Two loans that accrue, one on cash basis; one pays late, one is paid back after a month."""
    async with open_book(folder) as book:
        await book.go_to(date(2026, 1, 5))
        await book.lend("L-1", ACCRUAL)
        await book.lend("L-2", ACCRUAL)
        await book.lend("L-3")
        await book.go_to(date(2026, 2, 10))
        await book.repay("L-1", 112_000)
        await book.repay("L-3", 112_000)
        await book.go_to(date(2026, 6, 30))
        await book.repay("L-2", 300_000)
    async with open_book(folder) as book:
        await book.go_to(date(2026, 6, 30))
        await book.go_to(date(2026, 7, 31))
        return await seen(book)


async def seen(book: Book) -> tuple[list[AccrualPosted], list[tuple[str, int]], object]:
    """Return the accruals, the trial balance and the verdicts of a replay."""
    await book.loans.page("", "", "", 1)
    balance = await book.models.trial_balance(date(2026, 7, 31))
    verdicts = replay_log(Follower(book.writer.log, decode)).verdicts()
    posted = [e for e in book.writer.log.stream("accrual/CNY") if isinstance(e, AccrualPosted)]
    return posted, [(name, total) for name, _, total in balance], verdicts


def test_a_month_is_accrued_once_and_ties_out(tmp_path: Path) -> None:
    """Seven month ends, through a restart; receivables are what the loans say, every time."""
    posted, balance, verdicts = asyncio.run(half_a_year(tmp_path))

    assert [e.on.month for e in posted] == [1, 2, 3, 4, 5, 6, 7]
    assert posted[0].loans == 2
    # 5 to 31 January at 30/360 are 26 days: twice 120.00 x 26/30.
    assert posted[0].interest_minor == 2 * 10_400
    assert sum(total for _, total in balance) == 0
    assert dict(balance)["income:interest"] == -(posted[-1].interest_minor + 12_000)
    assert [v.different for v in verdicts] == [[]] * len(verdicts)
    assert {v.name: v.rows for v in verdicts}["receivables tie out, at each month end"] == 7
