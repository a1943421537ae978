"""One PostgreSQL for the tests of collections, a database of its own for each test."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from shared.runtime.postgres_server import Postgres, start_postgres
from tests.system.processes import free_port


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="duebook-pg-"))
    server = start_postgres(folder / "cluster", free_port())
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """Return the address of an empty database."""
    name = f"collections_{free_port()}"

    async def create() -> None:
        connection = await asyncpg.connect(postgres.url().replace("+asyncpg", ""))
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.close()

    asyncio.run(create())
    return postgres.url(name)
