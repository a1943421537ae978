"""A service that is stopped after its NATS: closing the bus is no failure of the service."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import uvloop

from shared.runtime.bus import Bus
from shared.runtime.nats_server import start_nats
from tests.system.processes import free_port


async def stopped_after_its_nats(folder: Path, seconds: float) -> None:
    """Publish so long after NATS went, and close the bus."""
    port = free_port()
    nats = start_nats(folder, port)
    bus = await Bus.connect(f"nats://127.0.0.1:{port}", "desk")
    await bus.ensure_streams()
    nats.kill()
    nats.wait()
    await asyncio.sleep(seconds)
    waiting = asyncio.ensure_future(bus.publish("lending.v1.risk.tried.R-1", b"x", "one", {}))
    await asyncio.sleep(0.05)

    await bus.close()

    assert bus.client.is_closed
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_nats_went_first(tmp_path: Path, seconds: float) -> None:
    """Something waits to be sent, and never will be; under the loop that services run on."""
    uvloop.run(stopped_after_its_nats(tmp_path / "nats", seconds))
