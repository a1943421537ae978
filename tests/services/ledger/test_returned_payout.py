"""A payout sent back, in a whole ledger: an auditor finds it in log, tables, bank and export."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from pathlib import Path

import msgspec
import pytest

from services.ledger.compose_export import export_book
from services.ledger.domain import commands as cmd
from tests.services.ledger.book import Book
from tests.services.ledger.domain.desk import TERMS
from tests.services.ledger.test_voided_requests import make_void
from tests.tamper.vault import EARNING, Vault, approve, copied, live, rule, sealed

BACK_ON = date(2026, 2, 20)
WHY = {"value_on": BACK_ON, "currency": "CNY", "approved_by": "Li"}


async def lives(book: Book) -> None:
    """One repaid, two sent back after a month end, one settled as returns once were; one void."""
    rule(book, "ReturnDisbursement")
    await book.go_to(date(2026, 1, 5))
    for loan_id in ("L-kept", "L-once", "L-back"):
        await book.lend(loan_id)
    await book.lend("L-earned", EARNING)
    await book.go_to(BACK_ON)
    await book.repay("L-kept", 112_000)
    old = {**WHY, "reason": "sent back by the bank"}
    await book.ask(cmd.SettleLoan, "L-once", amount_minor=1_200_000, **old)
    for loan_id in ("L-back", "L-earned"):
        await approve(book, "ReturnDisbursement", loan_id)
        back = {**WHY, "reason": "account closed", "amount_minor": 1_200_000}
        await book.ask(cmd.ReturnDisbursement, loan_id, **back)
    await make_void(book, "L-kept", "never-came")
    await book.go_to(date(2026, 3, 31))


async def unapproved(book: Book) -> None:
    """A payout is taken back that nobody else approved."""
    terms = msgspec.structs.replace(TERMS, first_due_on=date(2026, 5, 5))
    await book.lend("L-alone", terms)
    back = {**WHY, "value_on": book.writer.business_on, "amount_minor": 1_200_000}
    await book.ask(cmd.ReturnDisbursement, "L-alone", reason="account closed", **back)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    folder = tmp_path_factory.mktemp("returned")
    names = ("ledger.db", "ledger-read.db")
    found = Vault(folder, *(f"sqlite+aiosqlite:///{folder}/{name}" for name in names))
    asyncio.run(live(found, lives))
    found.kept = asyncio.run(sealed(found))
    return found


def test_every_check_of_an_auditor_is_green(vault: Vault) -> None:
    """Replay, tables, control accounts, approvals, the bank's statement: no row is off."""
    found = vault.check()

    assert found
    assert {name: rows for name, rows in found.items() if rows} == {}


def test_what_was_earned_is_taken_back_at_the_next_month_end(vault: Vault) -> None:
    """January's interest was income; the accrual of the end of February takes all of it back."""
    said = [json.loads(row.state) for row in vault.rows(topic="AccrualPosted")]
    assert said[0]["interest_minor"] > 0
    assert said[1]["interest_minor"] == said[2]["interest_minor"] == 0
    income = sum(p[1] for one in said for p in one["postings"] if p[0] == "income:interest")
    assert income == 0


def test_the_export_says_which_loans_came_back(vault: Vault, tmp_path: Path) -> None:
    """Cancelled, not settled; DuckDB comes to the same balances from the stored events."""
    found = asyncio.run(export_book(vault.settings, tmp_path, parquet=True, say=lambda _: None))

    assert [v.different for v in found.verdicts] == [[]] * 5
    statuses = dict(vault.read("SELECT loan_id, status FROM loan_summary ORDER BY loan_id"))
    assert statuses == {
        "L-back": "CANCELLED",
        "L-earned": "CANCELLED",
        "L-kept": "ACTIVE",
        "L-once": "SETTLED",
    }


def test_nobody_takes_a_payout_back_alone(tmp_path: Path, vault: Vault) -> None:
    """The log itself says that no second person approved it."""
    copy = copied(vault, tmp_path / "copy")
    asyncio.run(live(copy, unapproved))

    wrong = [line for rows in copy.check().values() for line in rows]
    assert any("ReturnDisbursement" in line and "second person" in line for line in wrong)
