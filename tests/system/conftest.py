"""A ledger of its own for each test, on SQLite files and on PostgreSQL, with a real NATS."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from services.ledger.adapters.append_only import keep_log
from shared.runtime.nats_server import start_nats
from shared.runtime.postgres_server import Postgres, start_postgres
from tests.system.processes import Service, free_port


@dataclass
class Desk:
    """One ledger and its NATS."""

    ledger: Service
    nats_folder: Path
    nats_port: int
    nats: object

    def stop_nats(self) -> None:
        self.nats.kill()
        self.nats.wait()

    def start_nats(self) -> None:
        self.nats = start_nats(self.nats_folder, self.nats_port)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="duebook-pg-"))
    server = start_postgres(folder / "cluster", free_port())
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def new_database(server: Postgres, name: str) -> str:
    """Make a database, and a login that can only append to the log; return its address."""

    async def create() -> None:
        url = server.url().replace("+asyncpg", "")
        connection = await asyncpg.connect(url)
        await connection.execute(f"CREATE DATABASE {name}")
        await connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{server.password}'")
        await connection.close()

    asyncio.run(create())
    keep_log(server.url(name), name)
    url = make_url(server.url(name)).set(username=name)
    return url.render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgres"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    port, nats_port = free_port(), free_port()
    if request.param == "postgres":
        server = request.getfixturevalue("postgres")
        database_url = new_database(server, f"ledger_{port}")
    else:
        database_url = f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
    environment = {
        "LEDGER_GRPC_PORT": str(port),
        "LEDGER_METRICS_PORT": "0",
        "LEDGER_DATABASE_URL": database_url,
        "LEDGER_NATS_URL": f"nats://127.0.0.1:{nats_port}",
        "LEDGER_SIGNING_KEY_FILE": str(tmp_path / "signing.key"),
    }
    ledger = Service("ledger", port, environment, tmp_path / "ledger.log")
    found = Desk(ledger, tmp_path / "nats", nats_port, None)
    found.start_nats()
    ledger.start()
    yield found
    ledger.stop()
    found.stop_nats()
