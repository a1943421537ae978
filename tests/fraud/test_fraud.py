"""Entry tests on a generated book: most of the fraud is found, few of the honest are named."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

from typer.testing import CliRunner

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.application.entry_tests import flags, lives, population, sample
from services.ledger.entrypoints.book_cli import app
from tests.fraud.schemes import SCHEMES, book
from tests.fraud.tally import tally
from tests.tamper.vault import live, new_vault


def test_most_of_the_fraud_and_few_of_the_honest() -> None:
    """Each kind by the test that is named for it; nine of ten over all; two of a hundred honest."""
    *frauds, honest = tally(book(honest=150, of_each=12))

    assert len(frauds) == len(SCHEMES) == 12
    assert all(row.by_its_test * 2 >= row.loans for row in frauds), frauds
    assert sum(row.by_any for row in frauds) >= 0.9 * sum(row.loans for row in frauds)
    assert honest.by_any <= 0.03 * honest.loans


def test_a_stored_book_is_tested_whole(tmp_path: Path, monkeypatch) -> None:
    """From the log: what was tested is said, and the sample is the same for everybody."""
    vault = new_vault(tmp_path / "vault")

    async def twice(book) -> None:
        await book.repay("L-3", 777)
        await book.repay("L-3", 777)

    asyncio.run(live(vault, twice))
    store = open_event_store(vault.log_url)
    found = lives(store, decode)
    store.close()
    said = population(found)

    assert {(flag.test, flag.loan_id) for flag in flags(found)} >= {("same_money_twice", "L-3")}
    assert (said.loans, said.entries) == (4, len(vault.rows("loan/%")))
    assert (said.first_on, said.last_on) == (date(2026, 1, 5), date(2026, 7, 10))
    assert sample(found, 5, "root") == sample(dict(reversed(found.items())), 5, "root")
    assert sample(found, 5, "root") != sample(found, 5, "another root")

    monkeypatch.setenv("LEDGER_DATABASE_URL", vault.log_url)
    result = CliRunner().invoke(app, ["test", "--sample", "5", "--seed", "root", "--as", "csv"])
    assert result.exit_code == 1
    assert "same_money_twice,L-3" in result.stdout
    for loan_id, version in sample(found, 5, "root"):
        assert f"sample,{loan_id},{version}" in result.stdout
