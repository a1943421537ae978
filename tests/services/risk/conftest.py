"""Risk as a process of its own, on a SQLite file, with a real NATS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.runtime.nats_server import start_nats
from tests.services.risk.asking import risk_running
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
    with risk_running(tmp_path, nats_url) as service:
        yield service
