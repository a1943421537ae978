"""What stands in a service's way at start is one clear line and exit code 2."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

from services.ledger.adapters.event_store import APPLICATION_ID
from shared.runtime.database import refuse_others
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


def test_a_file_whose_mark_is_still_in_its_write_ahead_log(tmp_path: Path) -> None:
    """Killed right after it was created, a database of ours is known as ours."""
    path = tmp_path / "ledger.db"
    mark = f"PRAGMA journal_mode = WAL; PRAGMA application_id = {APPLICATION_ID};"
    script = f"import sqlite3, os; c = sqlite3.connect({str(path)!r}); c.executescript({mark!r} + "
    script += "'CREATE TABLE t (a);'); os._exit(9)"

    subprocess.run([sys.executable, "-c", script], check=False)

    refuse_others(path, APPLICATION_ID)


def test_a_database_file_that_is_not_ours(tmp_path: Path) -> None:
    """A file of somebody else is named and left as it is."""
    other = tmp_path / "ledger.db"
    other.write_text("my diary")
    url = f"sqlite+aiosqlite:///{other}"

    done = start({"LEDGER_GRPC_PORT": str(free_port()), "LEDGER_DATABASE_URL": url})

    assert done.returncode == 2
    assert "was not made by this service" in done.stderr
    assert other.read_text() == "my diary"
