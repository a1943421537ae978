"""A served API, as anybody finds it: a real server on a real port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1 import ledger_service_pb2_grpc as ledger_grpc
from lending.ledger.v1 import loan_pb2

from shared.runtime.grpc_client import open_channel
from shared.runtime.grpc_server import ByName, serve
from shared.runtime.settings import ServiceSettings
from tests.system.processes import free_port

LEDGER = "lending.ledger.v1.LedgerService"
STREAMS = 40
SECONDS_MAX = 10.0


class Reads(ledger_grpc.LedgerServiceServicer):
    """Answers from a thread, as one that reads a file does."""

    async def GetLoan(self, request: Any, context: Any) -> loan_pb2.Loan:
        return await asyncio.to_thread(loan_pb2.Loan, loan_id=request.loan_id)


def register(server: ByName) -> Sequence[str]:
    ledger_grpc.add_LedgerServiceServicer_to_server(Reads(), server)
    return [LEDGER]


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    port, stop = free_port(), asyncio.Event()
    settings = ServiceSettings(grpc_port=port, metrics_port=0)
    serving = asyncio.ensure_future(serve(settings, service="ledger", register=register, stop=stop))
    yield f"localhost:{port}"
    stop.set()
    await serving


async def test_who_looks_at_the_api_holds_nobody_up() -> None:
    """Reflection streams that stay open take no thread from the calls that need one."""
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    async with served() as target:
        channel = open_channel(target, SECONDS_MAX)
        plain = grpc.aio.insecure_channel(target)
        looker = reflection_pb2_grpc.ServerReflectionStub(plain)
        held = [looker.ServerReflectionInfo() for _ in range(STREAMS)]
        for stream in held:
            await stream.write(question)
        async with asyncio.timeout(SECONDS_MAX):
            answers = [await stream.read() for stream in held]
            loan = await ledger_grpc.LedgerServiceStub(channel).GetLoan(
                pb.GetLoanRequest(loan_id="L-1")
            )
        for stream in held:
            stream.cancel()
        await asyncio.gather(channel.close(), plain.close())

    assert loan.loan_id == "L-1"
    named = {service.name for service in answers[0].list_services_response.service}
    assert named == {LEDGER, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
