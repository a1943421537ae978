"""The ledger and a witness in a process of its own: growth is cosigned, a rewriting is not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.seals import Seals
from services.ledger.adapters.witness_client import post, witnesses_of
from services.ledger.application.proving import Prover
from services.ledger.application.witnessing import Witnessing
from shared.audit.checkpoints import load_signer
from shared.audit.cosignatures import read_cosignature
from shared.audit.notes import CheckpointInvalid
from shared.runtime.database import open_database
from tests.services.ledger.test_key_rotation import resume, rotated
from tests.system.processes import ROOT, free_port
from tests.tamper.in_the_seals import history_rewritten
from tests.tamper.vault import ORIGIN, Vault, live, new_vault, sealed


class Auditor(NamedTuple):
    """A witness that runs elsewhere, as the ledger's setting names it."""

    setting: str
    process: subprocess.Popen[str]


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return new_vault(tmp_path / "vault")


@pytest.fixture
def auditor(vault: Vault, tmp_path: Path) -> Iterator[Auditor]:
    port = free_port()
    log = load_signer(ORIGIN, vault.folder / "signing.key").verifier
    command = [sys.executable, "-m", "shared.audit.witness", "--name", "auditor.example"]
    command += ["--state", str(tmp_path / "elsewhere"), "--log", log, "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    said = process.stdout.readline().split()
    yield Auditor(f"http://127.0.0.1:{port} {said[1]}", process)
    process.kill()
    process.wait()


async def ask(vault: Vault, setting: str) -> tuple[int, dict[str, str], str]:
    """Bring the last checkpoint to the witnesses: how many cosigned, who refused, the note."""
    store, engine = open_event_store(vault.log_url), open_database(vault.read_url)
    seals = Seals(engine)
    work = Witnessing(Prover(store, seals, lambda: None), seals, witnesses_of(setting), post)
    cosigned = await work.step()
    size, lines = await seals.cosignatures()
    note = (await seals.checkpoint(size)).note + "".join(lines.values()) if size else ""
    store.close()
    await engine.dispose()
    return cosigned, work.refused, note


def test_growth_is_cosigned_and_a_rewriting_is_not(vault: Vault, auditor: Auditor) -> None:
    """Even with the ledger's own key: the history that the witness saw does not come back."""
    key = auditor.setting.split()[1]
    cosigned, _, note = asyncio.run(ask(vault, auditor.setting))
    first = read_cosignature(note, key).checkpoint.size
    assert (cosigned, first) == (1, len(vault.rows()))
    assert asyncio.run(ask(vault, auditor.setting))[0] == 0

    asyncio.run(live(vault, lambda book: book.repay("L-1", 100)))
    asyncio.run(sealed(vault))
    cosigned, _, note = asyncio.run(ask(vault, auditor.setting))
    assert cosigned == 1
    assert read_cosignature(note, key).checkpoint.size > first

    history_rewritten(vault)
    cosigned, refused, _ = asyncio.run(ask(vault, auditor.setting))
    assert cosigned == 0
    assert list(refused) == ["auditor.example"]

    asyncio.run(live(vault, lambda book: book.repay("L-1", 100)))
    asyncio.run(sealed(vault))
    cosigned, refused, _ = asyncio.run(ask(vault, auditor.setting))
    assert cosigned == 0
    assert "does not begin with what was seen before" in refused["auditor.example"]


def test_a_witness_learns_a_change_of_key(vault: Vault, auditor: Auditor) -> None:
    """Two changes while it was not asked: it takes both, and goes on from what it saw."""
    key = auditor.setting.split()[1]
    assert asyncio.run(ask(vault, auditor.setting))[0] == 1
    old = load_signer(ORIGIN, vault.folder / "signing.key")
    for _ in range(2):
        rotated(vault)
        asyncio.run(live(vault, lambda book: book.repay("L-1", 100)))
    asyncio.run(resume(vault, old))

    cosigned, refused, note = asyncio.run(ask(vault, auditor.setting))

    assert (cosigned, refused) == (1, {})
    assert read_cosignature(note, key).checkpoint.size == len(vault.rows())


def test_a_witness_that_is_away_stops_nothing(vault: Vault, auditor: Auditor) -> None:
    """Nobody answers: said, and asked again later, from where the witness stands."""
    auditor.process.kill()
    auditor.process.wait()

    cosigned, refused, note = asyncio.run(ask(vault, auditor.setting))

    assert (cosigned, note) == (0, "")
    assert refused["auditor.example"].startswith("0 ")


def test_a_setting_that_names_no_witness_is_refused(vault: Vault) -> None:
    """An address without a key, or the log's own key in place of a witness's."""
    log = load_signer(ORIGIN, vault.folder / "signing.key").verifier

    assert witnesses_of("") == []
    with pytest.raises(ValueError, match="needs a verifier key"):
        witnesses_of("http://127.0.0.1:1")
    with pytest.raises(CheckpointInvalid):
        witnesses_of(f"http://127.0.0.1:1 {log}")
