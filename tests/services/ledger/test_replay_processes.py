"""Replayed by one process or by two, the book is the same, to the byte."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec

from services.ledger.adapters.replay_processes import processes_for, replay
from services.ledger.application.verifying import Replayed, digest_of, expected_rows
from tests.services.ledger.book import open_book
from tests.services.ledger.domain.desk import TERMS

ACCRUAL = msgspec.structs.replace(
    TERMS, posting_policy="accrual/1", penalty_rate_annual=Decimal("0.18")
)
LOANS = 12


async def three_months(folder: Path) -> None:
    """Loans on both posting policies, some late, some paying, two month ends."""
    async with open_book(folder) as book:
        await book.go_to(date(2026, 1, 5))
        for k in range(LOANS):
            await book.lend(f"L-{k}", ACCRUAL if k % 2 else TERMS)
        await book.go_to(date(2026, 2, 9))
        for k in range(0, LOANS, 3):
            await book.repay(f"L-{k}", 50_000 + k)
        await book.go_to(date(2026, 3, 20))


def told(replayed: Replayed) -> tuple[int, str, list[dict[str, object]]]:
    verdicts = [asdict(verdict) for verdict in replayed.verdicts()]
    return replayed.events, digest_of(expected_rows(replayed)), verdicts


def test_two_processes_replay_what_one_does(tmp_path: Path) -> None:
    """The same events, digest and verdicts; one changed posting is found by both, and named."""
    asyncio.run(three_months(tmp_path))
    url = f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
    reached: list[int] = []

    one, two = told(replay(url, 1)), told(replay(url, 2, reached.append))
    tamper(tmp_path / "ledger.db")
    changed, found = told(replay(url, 1)), told(replay(url, 2))

    assert one == two
    assert all(not verdict["different"] for verdict in one[2])
    assert [v["rows"] for v in one[2] if "month end" in str(v["name"])] == [2]
    assert reached == sorted(reached) and reached[-1] > one[0]
    assert changed == found and changed[1] != one[1]
    assert any("L-3@" in str(verdict["different"]) for verdict in found[2])


def tamper(path: Path) -> None:
    """Change one posting of a stored repayment, as somebody with the file could."""
    connection = sqlite3.connect(path)
    connection.execute(
        "UPDATE ledger_events SET state = CAST(replace(CAST(state AS TEXT), '50003', '60003') AS"
        " BLOB) WHERE originator_id = 'loan/L-3' AND topic LIKE '%RepaymentPosted'"
    )
    connection.commit()
    connection.close()


def test_a_short_log_is_replayed_by_one_process() -> None:
    """Starting others costs more than they save."""
    assert processes_for(50_000) == 1
    assert processes_for(50_001) >= 1
