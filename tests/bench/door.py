"""
What the door costs: CPU time per call, plain, with TLS, and with TLS and roles.

    python -m tests.bench.door
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import grpc
import uvloop
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1 import ledger_service_pb2_grpc as ledger_grpc

from shared.runtime.grpc_server import Edge
from shared.runtime.guard import Guard
from shared.runtime.roles import RoleBook
from shared.runtime.tls import PLAIN, Tls
from tests.shared.runtime.secured import Secured

CALLS, ROUNDS, AT_ONCE = 1000, 9, 16
REQUEST = pb.GetBusinessDateRequest()


class Answers(ledger_grpc.LedgerServiceServicer):
    """Answers at once."""

    async def GetBusinessDate(self, request: Any, context: Any) -> pb.BusinessDate:
        return pb.BusinessDate(on="2026-01-05")


async def opened(interceptors: list[Any], server: Tls, client: Tls) -> tuple[Any, Any, Any]:
    """Return a server, a channel to it, and its stub."""
    served = grpc.aio.server(interceptors=interceptors)
    ledger_grpc.add_LedgerServiceServicer_to_server(Answers(), served)
    if server is PLAIN:
        port = served.add_insecure_port("127.0.0.1:0")
        channel = grpc.aio.insecure_channel(f"localhost:{port}")
    else:
        port = served.add_secure_port("127.0.0.1:0", server.server())
        channel = grpc.aio.secure_channel(f"localhost:{port}", client.client())
    await served.start()
    return served, channel, ledger_grpc.LedgerServiceStub(channel)


async def cost(stub: Any) -> float:
    """Return microseconds of CPU per call, of caller and server together."""

    async def caller() -> None:
        for _ in range(CALLS // AT_ONCE):
            await stub.GetBusinessDate(REQUEST)

    started = process_time()
    await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
    return (process_time() - started) / (CALLS // AT_ONCE * AT_ONCE) * 1e6


async def main() -> None:
    """Measure the three in turns, and print the medians and what each adds."""
    with tempfile.TemporaryDirectory() as name:
        secured = Secured.make(Path(name), '"person/li" = ["reader"]')
        ours, li = secured.tls("service/ledger"), secured.tls("person/li")
        guard = Guard(RoleBook(secured.folder / "roles.toml"))
        ways = {
            "plain": await opened([Edge()], PLAIN, PLAIN),
            "TLS": await opened([Edge()], ours, li),
            "TLS and roles": await opened([Edge(), guard], ours, li),
        }
        found: dict[str, list[float]] = {way: [] for way in ways}
        for round_ in range(ROUNDS + 1):
            for way, (_, _, stub) in ways.items():
                microseconds = await cost(stub)
                if round_:
                    found[way].append(microseconds)
        for server, channel, _ in ways.values():
            await channel.close()
            await server.stop(0)
    for way, row in found.items():
        print(f"{way:15} {median(row):6.0f} µs ({min(row):.0f}-{max(row):.0f})")
    for before, after in (("plain", "TLS"), ("TLS", "TLS and roles")):
        added = [b - a for a, b in zip(found[before], found[after], strict=True)]
        print(f"{after} adds {median(added):.0f} µs ({min(added):.0f} to {max(added):.0f})")


if __name__ == "__main__":
    uvloop.run(main())
