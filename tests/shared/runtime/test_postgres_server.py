"""A PostgreSQL of one's own starts whatever else the process is doing."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import grpc

from shared.runtime.postgres_server import start_postgres
from tests.system.processes import free_port


async def test_a_server_starts_while_grpc_is_busy() -> None:
    """Children of a process whose gRPC threads are at work start all the same: three of three."""
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        busy = [asyncio.ensure_future(_call_for_ever(channel)) for _ in range(16)]
        started = [await asyncio.to_thread(_start_and_stop) for _ in range(3)]
        for caller in busy:
            caller.cancel()
        await asyncio.gather(*busy, return_exceptions=True)
    await server.stop(None)

    assert started == [True, True, True]


async def _call_for_ever(channel: grpc.aio.Channel) -> None:
    ask = channel.unary_unary("/nobody/Answers")
    while True:
        try:
            await ask(b"")
        except grpc.aio.AioRpcError as refused:
            assert refused.code() is grpc.StatusCode.UNIMPLEMENTED


def _start_and_stop() -> bool:
    folder = Path(tempfile.mkdtemp(prefix="duebook-pg-"))
    server = start_postgres(folder / "cluster", free_port())
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)
    return server.process.returncode == 0
