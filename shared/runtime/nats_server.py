"""The real NATS server, from its wheel, with JetStream that syncs every message to disk."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

READY_SECONDS_MAX = 15.0


class NatsNotReady(Exception):
    """The server did not accept connections in time; its log says why."""


def start_nats(
    folder: Path, port: int, monitor_port: int = 0, *, sync_always: bool = True, more: str = ""
) -> subprocess.Popen[bytes]:
    """
    Start a server and wait until it accepts connections.

    Args:
        folder: Holds its configuration, log and streams.
        port: Where it listens, on 127.0.0.1.
        monitor_port: Where it can be looked at; 0 for nowhere.
        sync_always: Sync each message to disk before acknowledging it.
        more: Further lines of its configuration.
    Raises:
        NatsNotReady: with the end of its log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    binary = Path(sys.executable).with_name("nats-server")
    program = str(binary) if binary.exists() else shutil.which("nats-server")
    config, log = folder / "nats.conf", folder / "nats.log"
    sync = "always" if sync_always else "2m"
    monitor = f"http: 127.0.0.1:{monitor_port}\n" if monitor_port else ""
    config.write_text(
        f"host: 127.0.0.1\nport: {port}\n{monitor}{more}"
        f'jetstream {{ store_dir: "{folder.resolve()}", sync_interval: {sync} }}\n'
    )
    with log.open("ab") as sink:
        command = [program or "nats-server", "-c", str(config)]
        process = subprocess.Popen(command, stdout=sink, stderr=sink, start_new_session=True)
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.02)
    process.kill()
    raise NatsNotReady(log.read_text(errors="replace")[-500:])
