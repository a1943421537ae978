"""Income booked when earned: one journal a month, once, and it ties out with the loans."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import msgspec

from services.ledger.adapters.event_mapper import decode
from services.ledger.application.following import Follower
from services.ledger.application.inspecting import inspect
from services.ledger.application.verifying import Verdict, replay_log
from services.ledger.compose_replay import WRITTEN
from services.ledger.domain import commands as cmd
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


def test_money_of_before_a_charge_off_ties_out_as_well(tmp_path: Path) -> None:
    """
    Charged off in May, recovered from in June; in July the bank tells of money of February.

    Both loans hear of it, one of 1,120.00 and one of everything that was owed on 10 May.
    """

    async def told_in_july() -> tuple[list[Verdict], dict[str, int]]:
        async with open_book(tmp_path) as book:
            await book.go_to(date(2026, 1, 5))
            for name, terms in [("L-1", ACCRUAL), ("L-2", ACCRUAL), ("L-3", TERMS)]:
                await book.lend(name, terms)
            await book.go_to(date(2026, 5, 10))
            for name in ("L-1", "L-2", "L-3"):
                off = {"effective_on": date(2026, 5, 10), "reason": "lost"}
                await book.ask(cmd.ChargeOffLoan, name, **off)
            await book.go_to(date(2026, 6, 10))
            recovered = {"amount_minor": 50_000, "currency": "CNY", "value_on": date(2026, 6, 1)}
            await book.ask(cmd.PostRecovery, "L-1", **recovered)
            await book.go_to(date(2026, 7, 1))
            line = book.writer.account("L-2").timeline(date(2026, 5, 9))
            for name, amount, on in [
                ("L-1", 112_000, date(2026, 2, 5)),
                ("L-2", line.payoff, date(2026, 5, 9)),
                ("L-3", 112_000, date(2026, 2, 5)),
            ]:
                paid = {"amount_minor": amount, "currency": "CNY", "value_on": on}
                await book.ask(cmd.PostRepayment, name, **paid)
            await book.go_to(date(2026, 7, 31))
            _, balance, verdicts = await seen(book)
            return [*verdicts, *inspect(book.writer.log, WRITTEN)], dict(balance)

    verdicts, balance = asyncio.run(told_in_july())

    assert [v.different for v in verdicts] == [[]] * len(verdicts)
    assert balance["expense:charge_offs"] == 2 * 1_100_000
    assert balance["loans:principal"] == 0
    assert sum(balance.values()) == 0
