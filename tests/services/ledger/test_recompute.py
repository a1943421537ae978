"""Every night other people's programs recompute the book; a cent apart is red and told."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import urllib.request
from datetime import date
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from ruamel.yaml import YAML
from typer.testing import CliRunner

from deploy.local.settings import fetched_hledger
from services.ledger import compose_recompute
from services.ledger.compose_recompute import (
    Recomputed,
    recompute_book,
    recompute_each_day,
    recompute_once,
)
from services.ledger.config import LedgerSettings
from services.ledger.entrypoints.cli import app
from tests.services.ledger.book import open_book
from tests.services.ledger.test_export import a_cent_off
from tests.system.processes import ROOT, free_port
from tests.tamper.vault import Vault, copied, new_vault

A_CENT = (
    "UPDATE journal_lines SET amount_minor = amount_minor + 1"
    " WHERE line = 1 AND position = (SELECT MIN(position) FROM journal_lines)"
)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return new_vault(tmp_path_factory.mktemp("recompute") / "original")


def settings_of(vault: Vault) -> LedgerSettings:
    return vault.settings.model_copy(update={"hledger": fetched_hledger()})


def metric(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_all_three_at_night(vault: Vault, tmp_path: Path) -> None:
    """All that are here agree; with a cent off, all that are here differ."""
    red = a_cent_off(vault, tmp_path / "cent")

    agree = recompute_book(settings_of(vault), tmp_path / "out")
    differ = recompute_book(settings_of(red), tmp_path / "red")

    assert [one.program for one in agree.answers] == list(compose_recompute.PROGRAMS)
    assert False not in [one.agrees for one in agree.answers], agree
    assert True not in [one.agrees for one in differ.answers], differ
    assert all(one.agrees is False for one in differ.answers[:2])
    assert (agree.code in (0, 2), differ.code) == (True, 1)


def test_a_cent_apart_ends_red_and_is_in_the_metrics(
    vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1 for a scheduler; 1 at `differs` for an alert, and 0 once it agrees again."""
    red = a_cent_off(vault, tmp_path / "cent")

    def run(of: Vault, hledger: str) -> tuple[int, str]:
        for name in ("database_url", "read_database_url"):
            monkeypatch.setenv(f"LEDGER_{name.upper()}", getattr(of.settings, name))
        monkeypatch.setenv("LEDGER_HLEDGER", hledger)
        result = CliRunner().invoke(app, ["recompute", "--as", "csv"])
        return result.exit_code, result.stdout

    code, said = run(red, "no-such-hledger")
    assert (code, "DuckDB,differs" in said, "hledger,missing" in said) == (1, True, True)
    assert metric("duebook_recompute", program="DuckDB", answer="differs") == 1
    assert metric("duebook_recompute", program="hledger", answer="missing") == 1
    code, said = run(vault, "no-such-hledger")
    assert (code, "DuckDB,agrees" in said) == (2, True)
    assert metric("duebook_recompute", program="DuckDB", answer="differs") == 0
    assert metric("duebook_recompute_business_date_seconds") == 1783641600


def test_it_is_done_again_after_each_day_that_is_closed(vault: Vault, tmp_path: Path) -> None:
    """Once for a day, however often it looks; a red one does not end it."""
    copy, found = copied(vault, tmp_path / "copy"), []
    settings = copy.settings.model_copy(update={"hledger": "no-such-hledger"})

    async def nights() -> None:
        stop, done = asyncio.Event(), asyncio.Queue[Recomputed]()
        work = asyncio.create_task(recompute_each_day(settings, stop, 0.5, done.put_nowait))
        found.append(await asyncio.wait_for(done.get(), 30))
        async with open_book(copy.folder) as book:
            await book.go_to(date(2026, 7, 11))
            found.append(await asyncio.wait_for(done.get(), 30))
            copy.read(A_CENT)
            await book.go_to(date(2026, 7, 12))
            found.append(await asyncio.wait_for(done.get(), 30))
            await asyncio.sleep(1.2)
        assert done.empty() and not work.done()
        stop.set()
        await work

    asyncio.run(nights())
    assert [one.on.day for one in found] == [10, 11, 12]
    assert [one.code for one in found] == [2, 2, 1]


def test_what_fails_is_done_again(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that does not answer tonight leaves the next look to try again."""
    tried: list[int] = []

    def once(settings: LedgerSettings) -> Recomputed:
        tried.append(1)
        if len(tried) == 1:
            raise OSError("no space left on device")
        return Recomputed(date(2026, 7, 10), [])

    monkeypatch.setattr(compose_recompute, "recompute_once", once)

    async def night() -> None:
        stop = asyncio.Event()
        await asyncio.wait_for(
            recompute_each_day(vault.settings, stop, 0.01, lambda found: stop.set()), 10
        )

    asyncio.run(night())
    assert len(tried) == 2


def test_as_a_process_it_tells_prometheus(vault: Vault, tmp_path: Path) -> None:
    """`recompute --each-day` serves its metrics until it is told to stop."""
    port = free_port()
    ended = asyncio.run(_served(copied(vault, tmp_path / "copy"), port))
    assert 'duebook_recompute{answer="agrees",program="DuckDB"} 1.0' in ended[1]
    assert ended[0] == 0


async def _served(copy: Vault, port: int) -> tuple[int, str]:
    command = ("-m", "services.ledger", "recompute", "--each-day", "--metrics-port", str(port))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        env={
            **os.environ,
            "LEDGER_DATABASE_URL": copy.log_url,
            "LEDGER_READ_DATABASE_URL": copy.read_url,
        },
        cwd=ROOT,
    )
    text = ""
    for _ in range(300):
        await asyncio.sleep(0.2)
        try:
            text = await asyncio.to_thread(_metrics, port)
        except OSError:
            continue
        if "duebook_recompute{" in text:
            break
    process.terminate()
    return await asyncio.wait_for(process.wait(), 60), text


def _metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def test_the_alerts_name_metrics_that_there_are(vault: Vault) -> None:
    """Each expression of the shipped rules asks for something that a run sets."""
    recompute_once(vault.settings)
    rules = YAML(typ="safe").load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text())
    alerts = [r for g in rules["groups"] if g["name"] == "duebook-recompute" for r in g["rules"]]

    told = {sample.name for one in REGISTRY.collect() for sample in one.samples}
    for rule in alerts:
        named = set(re.findall(r"duebook_\w+", rule["expr"]))
        assert named and named <= told, rule
        assert rule["annotations"]["summary"] and rule["labels"]["severity"]
    assert {rule["alert"] for rule in alerts} >= {"BookDiffers", "BookNotRecomputed"}
