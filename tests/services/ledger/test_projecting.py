"""Read models that are written in small parts hold what the log says, row by row."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import pytest

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.read_models import Told
from services.ledger.adapters.tables import (
    INSTALMENTS,
    JOURNAL_LINES,
    LIVE,
    LOAN_SUMMARY,
    MESSAGE_SEQUENCES,
)
from services.ledger.application.following import Follower
from services.ledger.application.rows import InstalmentRow, JournalRow, SummaryRow
from services.ledger.application.verifying import compare, expected_rows, replay_log
from services.ledger.domain import commands as cmd
from tests.services.ledger.book import Book, open_book

DAY = date(2026, 1, 5)
LOANS = 60


@pytest.mark.parametrize(
    ("table", "fields"),
    [
        (LOAN_SUMMARY, SummaryRow._fields),
        (INSTALMENTS, InstalmentRow._fields),
        (JOURNAL_LINES, JournalRow._fields),
        (MESSAGE_SEQUENCES, ("loan_id", *Told._fields)),
    ],
)
def test_a_row_has_the_columns_of_its_table(table, fields: tuple[str, ...]) -> None:
    """Rows are written by place, not by name."""
    assert tuple(table.columns.keys()) == fields


async def differences(book: Book) -> list[str]:
    """Return every row that differs between the tables and a replay of the log."""
    await book.ageing.followers.caught_up()
    wanted = expected_rows(replay_log(Follower(book.writer.log, decode)))
    found = []
    for table in LIVE:
        key = tuple(column.name for column in table.primary_key)
        rows = await book.models.all_rows(table)
        verdict = compare(table.name, key, wanted[table.name], rows)
        assert verdict.rows
        found += verdict.different
    return found


async def shorter_plans(folder: Path, url: str = "") -> list[list[str]]:
    """Repay, agree on new plans, grow late, start anew; what differs after each."""
    found, plan = [], {"effective_on": DAY, "reason": "r", "approved_by": "a"}
    async with open_book(folder, url, url) as book:
        await book.go_to(DAY)
        await asyncio.gather(*[book.lend(f"L-{k}") for k in range(LOANS)])
        found.append(await differences(book))
        await asyncio.gather(*[book.repay(f"L-{k}", 100 + k) for k in range(LOANS)])
        found.append(await differences(book))
        await book.ask(cmd.RestructureLoan, "L-0", instalments=6, **plan)
        await book.ask(cmd.RestructureLoan, "L-1", instalments=18, **plan)
        found.append(await differences(book))
    async with open_book(folder, url, url) as book:
        await book.ask(cmd.RestructureLoan, "L-1", instalments=3, **plan)
        await book.repay("L-0", 500)
        found.append(await differences(book))
        await book.go_to(date(2026, 2, 9))
        found.append(await differences(book))
    return found


def test_a_shorter_plan_leaves_no_old_instalments(tmp_path: Path) -> None:
    """Instalments that a new plan has no more are gone; so after a start with nothing kept."""
    assert asyncio.run(shorter_plans(tmp_path)) == [[]] * 5
