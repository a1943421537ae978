"""Questions to JetStream over a real NATS: what was lost is asked again, what is slow is taken."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from shared.runtime.bus import Bus, BusDown
from shared.runtime.nats_server import start_nats
from shared.runtime.reading import Reader
from shared.runtime.streams import STREAM
from tests.system.processes import free_port
from tests.waiting import timed, until

STATE = dict.fromkeys(("messages", "bytes", "first_seq", "last_seq", "consumer_count"), 0)
INFO = {"config": {"name": "S"}, "state": STATE}


@asynccontextmanager
async def broker(folder: Path) -> AsyncIterator[tuple[Bus, subprocess.Popen[bytes]]]:
    """Start a server and connect."""
    port = free_port()
    nats = start_nats(folder, port)
    bus = await Bus.connect(f"nats://127.0.0.1:{port}", "asking")
    try:
        yield bus, nats
    finally:
        nats.kill()
        nats.wait()
        await bus.close()


@pytest.mark.parametrize(("lost", "slow", "asked_min"), [(0, 0.0, 1), (2, 0.0, 3), (0, 0.6, 2)])
async def test_a_lost_question_is_asked_again(
    tmp_path: Path, lost: int, slow: float, asked_min: int
) -> None:
    """A cluster that elects a leader drops questions; a slow one answers the first of them."""
    heard: list[asyncio.Task[None]] = []
    async with broker(tmp_path) as (bus, _):

        async def answer(question: Msg) -> None:
            await asyncio.sleep(slow)
            await question.respond(json.dumps(INFO).encode())

        async def take(question: Msg) -> None:
            took = answer(question) if len(heard) >= lost else asyncio.sleep(0)
            heard.append(asyncio.create_task(took))

        await bus.client.subscribe("TEST.STREAM.INFO.S", cb=take)
        async with timed() as took:
            found = await bus.client.jsm(prefix="TEST").stream_info("S")
            seconds = took.seconds

        async def asked_enough() -> bool:
            return len(heard) >= asked_min

        assert found.config.name == "S"
        assert await until(asked_enough)
        assert seconds < 4.5


async def test_a_server_that_hangs_is_left(tmp_path: Path) -> None:
    """No connection breaks, and no question is answered: it is away, and known as such."""
    async with broker(tmp_path) as (bus, nats):
        await bus.ensure_streams()
        nats.send_signal(signal.SIGSTOP)
        async with timed() as took:
            with pytest.raises(BusDown):
                await bus.info()
            while bus.client.is_connected and took.seconds < 20:
                await asyncio.sleep(0.1)
            left = took.seconds
        nats.send_signal(signal.SIGCONT)
        found = None
        while found is None:
            try:
                found = await bus.info()
            except BusDown:
                await asyncio.sleep(0.1)

        assert left < 10
        assert bus.reconnects == 1


async def test_readers_leave_no_consumer_behind(tmp_path: Path) -> None:
    """Nobody waits for the answer, and yet it is gone."""
    async with broker(tmp_path) as (bus, _):
        await bus.ensure_streams()
        for _ in range(3):
            reader = Reader(bus.client, STREAM, ["lending.v1.delinquency.>"])
            assert await reader.left() == 0
            await reader.close()
        await bus.client.flush()

        async def is_none_left() -> bool:
            return not (await bus.info()).state.consumer_count

        assert await until(is_none_left)
