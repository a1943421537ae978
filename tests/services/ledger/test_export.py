"""The book in other people's programs: they accept it, agree on every balance, and find a cent."""

from __future__ import annotations

import asyncio
import csv
import io
import subprocess
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from beancount import loader
from beancount.core.data import Transaction

from services.ledger.adapters.event_store import open_event_store
from services.ledger.application.exporting import account_name
from services.ledger.application.posting import Writer
from services.ledger.application.verifying import Verdict
from services.ledger.compose_export import export_book
from services.ledger.compose_recompute import recompute_book
from services.ledger.domain import commands as cmd
from services.ledger.domain.chart import CHART
from tests.oracles import MISSING, hledger
from tests.tamper.vault import Vault, copied, new_vault

SUM = "SELECT account, sum(amount_minor) FROM journal_lines GROUP BY account"


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return new_vault(tmp_path_factory.mktemp("export") / "original")


def exported(vault: Vault, folder: Path, *, parquet: bool = False) -> list[Verdict]:
    work = export_book(vault.settings, folder, parquet=parquet, say=lambda _: None)
    return asyncio.run(work).verdicts


def balances(vault: Vault) -> dict[str, Decimal]:
    """Return what our tables say, by the exported name, major units."""
    return {account_name(name): Decimal(minor) / 100 for name, minor in vault.read(SUM)}


def a_cent_off(vault: Vault, folder: Path) -> Vault:
    """Copy a vault, and put one cent too much into one journal line that people look up."""
    copy = copied(vault, folder)
    copy.read(
        "UPDATE journal_lines SET amount_minor = amount_minor + 1 WHERE position ="
        " (SELECT max(position) FROM journal_lines) AND line = 1"
    )
    return copy


def test_beancount_agrees(vault: Vault, tmp_path: Path) -> None:
    """No error, and each balance that it comes to is ours; with a cent off, it says so."""
    exported(vault, tmp_path)
    entries, errors, _ = loader.load_file(str(tmp_path / "book.beancount"))
    found: Counter[str] = Counter()
    for entry in entries:
        for posting in entry.postings if isinstance(entry, Transaction) else ():
            found[posting.account] += posting.units.number

    assert errors == []
    assert dict(found) == balances(vault)

    exported(a_cent_off(vault, tmp_path / "cent"), tmp_path / "red")
    assert len(loader.load_file(str(tmp_path / "red" / "book.beancount"))[1]) == 1


def test_hledger_agrees(vault: Vault, tmp_path: Path) -> None:
    """It passes its strict checks and comes to our balances; with a cent off, it refuses."""
    command = hledger()
    if command is None:
        pytest.skip(f"hledger {MISSING}")
    exported(vault, tmp_path)

    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        asked = [*command, "-f", str(folder / "book.journal"), *arguments]
        return subprocess.run(asked, capture_output=True, text=True)

    checked = run(tmp_path, "check", "--strict")
    assert checked.returncode == 0, checked.stderr
    said = run(tmp_path, "balance", "--flat", "--no-total", "-E", "-O", "csv").stdout
    rows = list(csv.reader(io.StringIO(said)))[1:]
    found = {name: Decimal(amount.split()[0] or 0) for name, amount in rows if amount != "0"}
    assert found == balances(vault)

    exported(a_cent_off(vault, tmp_path / "cent"), tmp_path / "red")
    assert run(tmp_path / "red", "check", "--strict").returncode == 1


def test_sql_recomputes_the_book(vault: Vault, tmp_path: Path) -> None:
    """DuckDB, from the stored events: balances, principal, arrears, days; a cent is red."""
    verdicts = exported(vault, tmp_path, parquet=True)

    assert [v.different for v in verdicts] == [[]] * 5
    assert all(v.rows > 2 for v in verdicts)

    red = exported(a_cent_off(vault, tmp_path / "cent"), tmp_path / "red", parquet=True)
    assert [v.name for v in red if v.different] == ["balances of accounts"]


def test_a_ledger_that_is_at_work_is_not_red(vault: Vault, tmp_path: Path) -> None:
    """What was posted and is in no table yet is left for the next time."""
    copy = copied(vault, tmp_path / "copy")

    async def post() -> None:
        store = open_event_store(copy.log_url)
        writer, stop = Writer(store, lambda: None), asyncio.Event()
        writer.load_business_date()
        work = asyncio.create_task(writer.run(stop))
        asked = cmd.PostRepayment(
            loan_id="L-0",
            request_id="late",
            recorded_at=datetime.now(UTC),
            business_on=None,
            value_on=writer.business_on,
            amount_minor=777,
            currency="CNY",
        )
        await writer.ask(asked, "hash")
        stop.set()
        await work
        store.close()

    asyncio.run(post())
    [posted] = [row for row in copy.rows("loan/L-0", "RepaymentPosted") if b":777," in row.state]

    found = recompute_book(copy.settings, tmp_path / "out")

    assert posted.position > max(row.position for row in vault.rows())
    assert [one.agrees for one in found.answers][:2] == [True, True], found
    assert found.on == date(2026, 7, 10)


def test_sql_sees_an_event_that_was_changed(vault: Vault, tmp_path: Path) -> None:
    """A posting changed in the log itself no longer sums to zero, nor to the loan's principal."""
    copy = copied(vault, tmp_path / "copy")
    row = copy.rows("loan/L-0", "RepaymentPosted")[0]
    copy.write(row, row.state.replace(b'"loans:principal",-', b'"loans:principal",-1', 1))

    verdicts = exported(copy, tmp_path / "out", parquet=True)

    red = {v.name for v in verdicts if v.different}
    assert {"entries sum to zero", "principal of loans on the books"} <= red


def test_an_account_has_one_name_in_both_programs() -> None:
    """Every account of the chart; no two become one."""
    names = [account_name(name) for name in CHART]

    assert account_name("expense:charge_offs") == "Expenses:Charge-offs"
    assert account_name("loans:principal") == "Assets:Loans:Principal"
    assert len(set(names)) == len(CHART)


def test_an_empty_book_is_a_book(tmp_path: Path) -> None:
    """Nothing lent, nothing owed: both journals are accepted."""
    (tmp_path / "empty").mkdir()
    empty = Vault(
        tmp_path / "empty",
        f"sqlite+aiosqlite:///{tmp_path}/empty/ledger.db",
        f"sqlite+aiosqlite:///{tmp_path}/empty/ledger-read.db",
    )
    exported(empty, tmp_path / "out")

    assert loader.load_file(str(tmp_path / "out" / "book.beancount"))[1] == []
