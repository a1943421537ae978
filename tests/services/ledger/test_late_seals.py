"""A sealer that was away: a person explains it in the log, and it stays listed."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.ledger.application.reconciling import Statement
from services.ledger.application.verifying import Verdict
from services.ledger.compose_replay import replay_book
from services.ledger.entrypoints.cli import app
from tests.services.ledger.book import Book
from tests.tamper.vault import Vault, live, rule, sealed

CHECK = "recorded when it was sealed"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A book whose facts were all sealed three hours after they were recorded."""
    urls = (f"sqlite+aiosqlite:///{tmp_path}/{name}.db" for name in ("ledger", "ledger-read"))
    vault = Vault(tmp_path, *urls)
    asyncio.run(live(vault, lambda book: lend(book, timedelta(hours=-3))))
    asyncio.run(sealed(vault))
    return vault


async def lend(book: Book, away: timedelta) -> None:
    """Lend two loans at an instant that is away from now."""
    book.now = lambda: datetime.now(UTC) + away
    if book.writer.business_on is None:
        await book.go_to(date(2026, 1, 5))
    for _ in range(2):
        await book.lend(f"L-{book.count}")


def check(vault: Vault) -> Verdict:
    """Seal what there is, replay, and return what the check of instants says."""
    asyncio.run(sealed(vault))
    verdicts = asyncio.run(replay_book(vault.settings, [], Statement(vault.bank)))
    assert [v.name for v in verdicts if v.different and v.name != CHECK] == []
    return next(v for v in verdicts if v.name == CHECK)


def explain(vault: Vault, *more: str, first: int = 0, end: int = 0) -> Result:
    """Run the command."""
    span = ["--first", str(first), "--end", str(end or len(vault.rows()))]
    asked = ["explain-late", *span, "--reason", "disk full", "--by", "person/li", *more]
    environment = {
        f"LEDGER_{name.upper()}": str(value)
        for name, value in vault.settings.model_dump().items()
        if name in ("database_url", "read_database_url", "log_origin", "signing_key_file")
    }
    return CliRunner().invoke(app, asked, env=environment)


def test_a_late_seal_is_explained_and_still_listed(vault: Vault) -> None:
    """Red until somebody says why; then who and why stand beside it, for ever."""
    before, count = check(vault), len(vault.rows())
    assert explain(vault).exit_code == 0
    after = check(vault)

    assert before.different and not before.explained
    assert after.different == []
    said = f"leaves 0 to {count - 1} explained by person/li: disk full"
    assert after.explained == [f"{before.different[0]}; {said}"]


def test_an_explanation_covers_its_leaves_and_no_later_ones(vault: Vault) -> None:
    """What it leaves out stays red; so does what comes after it, and what says the future."""
    count = len(vault.rows())
    assert explain(vault, end=2).exit_code == 0
    assert check(vault).different
    assert explain(vault, end=count + 50).exit_code == 2
    assert explain(vault, first=2, end=count).exit_code == 0
    assert check(vault).different == []

    asyncio.run(live(vault, lambda book: lend(book, timedelta(hours=3))))
    assert check(vault).different
    assert explain(vault).exit_code == 0
    assert check(vault).different, "a fact from the future is not explained by a late seal"


def test_where_four_eyes_are_on_a_second_person_is_asked_for(vault: Vault) -> None:
    """Another one; an explanation that was written past the command counts for nothing."""

    async def on(book: Book) -> None:
        rule(book, "WriteOffLoan")

    asyncio.run(live(vault, on))
    alone, same = explain(vault), explain(vault, "--approved-by", "person/li")
    assert (alone.exit_code, same.exit_code) == (2, 2)
    assert "EXPLANATION_INVALID: four eyes are on" in alone.stderr
    vault.add(
        "late-seals",
        1,
        "LateSealExplained",
        {
            "recorded_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "first_leaf": 0,
            "end_leaf": len(vault.rows()),
            "reason": "trust me",
            "explained_by": "person/li",
            "approved_by": "",
        },
    )
    assert check(vault).different
    assert explain(vault, "--approved-by", "person/wang").exit_code == 0
    assert "by person/li and person/wang: disk full" in check(vault).explained[0]
