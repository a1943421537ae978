"""Risk as a process of its own, on a SQLite file, with a real NATS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.runtime.nats_server import start_nats
from tests.system.processes import Service, free_port


@pytest.fixture
def nats_url(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    server = start_nats(tmp_path / "nats", port)
    yield f"nats://127.0.0.1:{port}"
    server.terminate()
    server.wait()


@pytest.fixture
def risk(tmp_path: Path, nats_url: str) -> Iterator[Service]:
    port = free_port()
    environment = {
        "RISK_GRPC_PORT": str(port),
        "RISK_METRICS_PORT": "0",
        "RISK_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/risk.db",
        "RISK_NATS_URL": nats_url,
    }
    service = Service("risk", port, environment, tmp_path / "risk.log")
    service.start()
    yield service
    service.stop()
