"""Each kind of tampering is found by the check that is named for it; what is not found is named."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from shared.runtime.postgres_server import start_postgres
from tests.system.processes import free_port
from tests.tamper.matrix import TAMPERINGS, Tampering
from tests.tamper.vault import Vault, copied, new_vault


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return new_vault(tmp_path_factory.mktemp("tamper") / "original")


def test_an_untouched_book_passes_every_check(original: Vault, tmp_path: Path) -> None:
    """No check cries wolf, on a book with reversals, a charge-off, accruals and late payers."""
    vault = copied(original, tmp_path / "copy")

    found = vault.check()

    assert {name: bad for name, bad in found.items() if bad} == {}
    assert len(found) > 18


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=[t.do.__name__ for t in TAMPERINGS])
def test_tampering_is_found(original: Vault, tmp_path: Path, tampering: Tampering) -> None:
    """On a copy of the same files, the checks named for it find it; those without, nothing does."""
    vault = copied(original, tmp_path / "copy")

    tampering.do(vault)
    found = {name for name, bad in vault.check().items() if bad}

    assert found >= set(tampering.found_by)
    assert bool(found) == bool(tampering.found_by)
    if not found:
        seen = {name for name, bad in vault.check(witness=True).items() if bad}
        assert seen == set(tampering.witnessed)
        assert tampering.needs


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    folder = tmp_path_factory.mktemp("tamper-pg")
    place = Path(tempfile.mkdtemp(prefix="duebook-pg-"))
    server = start_postgres(place / "cluster", free_port())
    with psycopg.connect(server.url().replace("+asyncpg", ""), autocommit=True) as connection:
        connection.execute("CREATE DATABASE tamper")
    yield new_vault(folder / "original", server.url("tamper"))
    server.stop()
    shutil.rmtree(place, ignore_errors=True)


def test_the_same_on_postgresql(on_postgres: Vault, tmp_path: Path) -> None:
    """Some of each sort on copies of a PostgreSQL database, and the untouched one is clean."""
    assert not any(copied(on_postgres, tmp_path / "untouched").check().values())

    for tampering in TAMPERINGS[::5]:
        vault = copied(on_postgres, tmp_path / tampering.do.__name__)
        tampering.do(vault)
        found = {name for name, bad in vault.check().items() if bad}
        assert found >= set(tampering.found_by), tampering.title
        assert bool(found) == bool(tampering.found_by), tampering.title


def test_thirty_kinds_are_tried() -> None:
    """The list is long, and each of it says in a sentence what is done."""
    assert len(TAMPERINGS) > 30
    assert all(t.title.endswith(".") for t in TAMPERINGS)
