"""A PostgreSQL of its own for the session, and a new database for each test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from shared.runtime.postgres_server import start_postgres
from tests.system.processes import free_port


@pytest.fixture(scope="session")
def new_database() -> Iterator[Callable[[str], str]]:
    """Return what creates a database and says its address."""
    folder = Path(tempfile.mkdtemp(prefix="duebook-pg-"))
    server = start_postgres(folder / "cluster", free_port())

    def create(prefix: str) -> str:
        name = f"{prefix}_{free_port()}"
        address = server.url().replace("postgresql+asyncpg", "postgresql")
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return server.url(name)

    yield create
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)
