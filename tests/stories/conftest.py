"""The whole suite as processes, on SQLite files or on PostgreSQL, for one story."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shared.runtime.nats_server import start_nats
from shared.runtime.postgres_server import Postgres, start_postgres
from tests.system.processes import CallRefused, Service, free_port

NAMES = ("risk", "ledger", "origination", "collections")
RETRIES_MAX = 60
UNTIL_SECONDS_MAX = 30.0


@dataclass
class Suite:
    """Four services and NATS."""

    folder: Path
    nats_port: int
    nats: subprocess.Popen[bytes]
    services: dict[str, Service]

    def call(self, service: str, method: str, /, **body: Any) -> dict[str, Any]:
        """Call an rpc; while the service is away, the same request again."""
        path = f"lending.{service}.v1.{service.capitalize()}Service/{method}"
        for _ in range(RETRIES_MAX):
            try:
                return self.services[service].call(path, **body)
            except CallRefused as refusal:
                if refusal.code not in ("unavailable", "deadline_exceeded"):
                    raise
                time.sleep(0.2)
        raise AssertionError(f"{service} does not come back")

    def until(self, wanted: Callable[[], bool], what: str) -> None:
        """Wait until something has happened."""
        deadline = time.monotonic() + UNTIL_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                if wanted():
                    return
            except CallRefused as refusal:
                if refusal.code != "not_found":
                    raise
            time.sleep(0.1)
        raise AssertionError(f"did not happen: {what}")

    def kill(self, name: str) -> None:
        """kill -9 one service, and start it again."""
        self.services[name].kill()
        self.services[name].start()

    def stop(self) -> None:
        for service in self.services.values():
            service.stop()
        self.nats.kill()
        self.nats.wait()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="duebook-pg-"))
    server = start_postgres(folder / "cluster", free_port())
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def database_urls(folder: Path, server: Postgres | None) -> dict[str, str]:
    """Return one empty database per service."""
    if server is None:
        return {name: f"sqlite+aiosqlite:///{folder}/{name}.db" for name in NAMES}
    mark = free_port()

    async def create() -> None:
        connection = await asyncpg.connect(server.url().replace("+asyncpg", ""))
        for name in NAMES:
            await connection.execute(f"CREATE DATABASE {name}_{mark}")
        await connection.close()

    asyncio.run(create())
    return {name: server.url(f"{name}_{mark}") for name in NAMES}


def start_suite(folder: Path, server: Postgres | None) -> Suite:
    """Start everything on free ports."""
    ports = {name: free_port() for name in NAMES}
    urls, nats_port = database_urls(folder, server), free_port()
    suite = Suite(folder, nats_port, start_nats(folder / "nats", nats_port), {})
    for name in NAMES:
        settings = {
            "GRPC_PORT": str(ports[name]),
            "METRICS_PORT": "0",
            "DATABASE_URL": urls[name],
            "NATS_URL": f"nats://127.0.0.1:{nats_port}",
            "LEDGER_TARGET": f"127.0.0.1:{ports['ledger']}",
            "RISK_TARGET": f"127.0.0.1:{ports['risk']}",
            "OUTBOX_FOLDER": str(folder / "outbox"),
            "READING_SECONDS_MIN": "1",
            "PAYOUT_FOLDER": str(folder / "payouts"),
            "SIGNING_KEY_FILE": str(folder / "signing.key"),
        }
        environment = {f"{name.upper()}_{key}": value for key, value in settings.items()}
        service = Service(name, ports[name], environment, folder / f"{name}.log")
        suite.services[name] = service
        service.start()
    return suite


@pytest.fixture(params=["sqlite", "postgres"])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Return an empty database for each service, on either store."""
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    return database_urls(tmp_path, server)


@pytest.fixture(params=["sqlite", "postgres"])
def new_suite(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], Suite]]:
    """Return a way to start a fresh suite under a name; all are stopped at the end."""
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    started: list[Suite] = []

    def start(name: str) -> Suite:
        folder = tmp_path / name
        folder.mkdir()
        started.append(start_suite(folder, server))
        return started[-1]

    yield start
    for suite in started:
        suite.stop()
