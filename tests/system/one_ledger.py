"""One ledger with its bus as processes, on a store of one's choice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from shared.runtime.nats_server import start_nats
from tests.system.processes import Service, free_port


@dataclass
class Ledger:
    """One ledger process on one store."""

    service: Service
    url: str

    def channel(self) -> grpc.aio.Channel:
        """Return a channel to the process as it runs now."""
        return grpc.aio.insecure_channel(f"127.0.0.1:{self.service.port}")


@contextmanager
def ledger_on(url: str, folder: Path) -> Iterator[Ledger]:
    """Start a ledger and its NATS; stop both."""
    port, nats_port = free_port(), free_port()
    nats = start_nats(folder / "nats", nats_port)
    environment = {
        "LEDGER_GRPC_PORT": str(port),
        "LEDGER_METRICS_PORT": "0",
        "LEDGER_DATABASE_URL": url,
        "LEDGER_SIGNING_KEY_FILE": str(folder / "signing.key"),
        "LEDGER_NATS_URL": f"nats://127.0.0.1:{nats_port}",
    }
    service = Service("ledger", port, environment, folder / "ledger.log")
    service.start()
    try:
        yield Ledger(service, url)
    finally:
        service.stop()
        nats.kill()
        nats.wait()
