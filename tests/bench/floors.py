"""The floors: what the same machine does in the same run with nothing of ours in between."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import grpc
import psycopg
import uvloop
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1.ledger_service_pb2_grpc import (
    LedgerServiceServicer,
    add_LedgerServiceServicer_to_server,
)

from shared.runtime.grpc_server import ByName


class Echo(LedgerServiceServicer):
    """Answers a repayment with nothing in it."""

    async def PostRepayment(self, request: Any, context: Any) -> pb.PostRepaymentResponse:
        return pb.PostRepaymentResponse(repayment_id=request.request_id)


async def serve_echo(port: int) -> None:
    """Serve the empty echo until killed."""
    server = grpc.aio.server()
    add_LedgerServiceServicer_to_server(Echo(), ByName(server))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


def durable_inserts(url: str, folder: Path, count: int, state: bytes) -> list[float]:
    """Insert rows one by one into a log's store, each fsynced; returns seconds of each."""
    if url.startswith("sqlite"):
        return _in_a_file(folder, count, state)
    seconds = []
    with psycopg.connect(url.replace("+asyncpg", ""), autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS floor_single (id bigserial PRIMARY KEY, state bytea)"
        )
        for _ in range(count):
            started = perf_counter()
            connection.execute("INSERT INTO floor_single (state) VALUES (%b)", (state,))
            seconds.append(perf_counter() - started)
    return seconds


def _in_a_file(folder: Path, count: int, state: bytes) -> list[float]:
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, state BLOB)")
    seconds = []
    for _ in range(count):
        started = perf_counter()
        connection.execute("INSERT INTO events (state) VALUES (?)", (state,))
        seconds.append(perf_counter() - started)
    connection.close()
    return seconds


class Loan(Aggregate):
    """A loan in the event library's own style: one event, one method, JSON."""

    def __init__(self, principal_minor: int) -> None:
        self.principal_minor = principal_minor

    @event("RepaymentPosted")
    def repay(self, repayment_id: str, amount_minor: int, slots: list[list[Any]]) -> None:
        self.principal_minor -= amount_minor


def default_replay(loans: int, events: int) -> float:
    """Return events per second of CPU of the library's default aggregates, from memory."""
    application: Application[Any] = Application()
    ids = []
    for _ in range(loans):
        loan = Loan(1_200_000)
        for k in range(events - 1):
            loan.repay(f"r-{k}", 100, [[1, "INTEREST", 60], [1, "PRINCIPAL", 40]])
        application.save(loan)
        ids.append(loan.id)
    started = process_time()
    for one in ids:
        application.repository.get(one)
    return loans * events / (process_time() - started)


if __name__ == "__main__":
    uvloop.run(serve_echo(int(sys.argv[1]))) if len(sys.argv) == 2 else asyncio.run(
        asyncio.sleep(0)
    )
