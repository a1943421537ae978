"""What stands in a service's way at start is one clear line and exit code 2."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.system.processes import ROOT, free_port


def start(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.ledger"],
        cwd=ROOT,
        env={**os.environ, "LEDGER_METRICS_PORT": "0", **environment},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_a_port_in_use(tmp_path: Path) -> None:
    """The error names the address and the setting to change."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        url = f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
        done = start({"LEDGER_GRPC_PORT": port, "LEDGER_DATABASE_URL": url})

    assert done.returncode == 2
    assert f"127.0.0.1:{port} is in use; set LEDGER_GRPC_PORT" in done.stderr


def test_a_database_file_that_is_not_ours(tmp_path: Path) -> None:
    """A file of somebody else is named and left as it is."""
    other = tmp_path / "ledger.db"
    other.write_text("my diary")
    url = f"sqlite+aiosqlite:///{other}"

    done = start({"LEDGER_GRPC_PORT": str(free_port()), "LEDGER_DATABASE_URL": url})

    assert done.returncode == 2
    assert "was not made by this service" in done.stderr
    assert other.read_text() == "my diary"
