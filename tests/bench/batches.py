"""Repayments in batches through gRPC, against the store's own insert of the same rows."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg
from lending.ledger.v1 import ledger_service_pb2 as pb

from tests.bench.measures import Measure

ITEMS = 10_000
Row = tuple[str, int, str, bytes]


Repay = Callable[[], pb.PostRepaymentRequest]


async def post_batch(stub: Any, repayment: Repay) -> float:
    """Post a batch and return the seconds that it took; every item must be posted."""
    request = pb.BatchPostRepaymentsRequest(requests=[repayment() for _ in range(ITEMS)])
    started = perf_counter()
    said = await stub.BatchPostRepayments(request)
    seconds = perf_counter() - started
    assert said.posted == ITEMS, said.results[0].refusal
    return seconds


async def measure(
    store: str,
    url: str,
    stub: Any,
    repayment: Repay,
    folder: Path,
    runs: int,
    say: Callable[[str], None],
) -> Measure:
    """Post batches, and insert the rows that each of them made once more, by the store alone."""
    floor = _executemany if store == "sqlite" else _copy
    is_floor = "executemany" if store == "sqlite" else "COPY"
    one = Measure(f"post_batch.{store}", "repayments/s", f"{is_floor} of the same rows, committed")
    for run in range(runs):
        say(f"{store}: batches of {ITEMS:,}, run {run + 1} of {runs}")
        before = await _last(url)
        seconds = await post_batch(stub, repayment)
        rows = await _rows(url, before)
        one.add(ITEMS / seconds, ITEMS / await floor(url, folder, rows))
    return one


def _sqlite(url: str) -> sqlite3.Connection:
    return sqlite3.connect(url.partition("///")[2], isolation_level=None)


async def _connect(url: str) -> asyncpg.Connection:
    return await asyncpg.connect(url.replace("+asyncpg", ""))


async def _last(url: str) -> int:
    """Return the last position in the log."""
    if url.startswith("sqlite"):
        connection = _sqlite(url)
        found = connection.execute("SELECT max(rowid) FROM ledger_events").fetchone()[0]
        connection.close()
        return int(found)
    server = await _connect(url)
    found = await server.fetchval("SELECT max(notification_id) FROM ledger_events")
    await server.close()
    return int(found)


async def _rows(url: str, after: int) -> list[Row]:
    """Return the rows that were stored after a position."""
    columns = "originator_id, originator_version, topic, state"
    query = f"SELECT {columns} FROM ledger_events WHERE "
    if url.startswith("sqlite"):
        connection = _sqlite(url)
        rows = connection.execute(f"{query} rowid > {after} ORDER BY rowid").fetchall()
        connection.close()
        return rows
    server = await _connect(url)
    found = await server.fetch(f"{query} notification_id > {after} ORDER BY notification_id")
    await server.close()
    return [tuple(row) for row in found]


async def _executemany(url: str, folder: Path, rows: list[Row]) -> float:
    """Insert into a table like the log's in a file of its own, durably; returns seconds."""
    return await asyncio.to_thread(_insert, url, folder / "floor-batch.db", rows)


def _insert(url: str, path: Path, rows: list[Row]) -> float:
    like = _sqlite(url)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("DROP TABLE IF EXISTS ledger_events")
    query = "SELECT sql FROM sqlite_master WHERE tbl_name='ledger_events' AND sql IS NOT NULL"
    for (statement,) in like.execute(query).fetchall():
        connection.execute(statement)
    like.close()
    started = perf_counter()
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT INTO ledger_events(originator_id, originator_version, topic, state)"
        " VALUES (?,?,?,?)",
        rows,
    )
    connection.execute("COMMIT")
    seconds = perf_counter() - started
    connection.close()
    return seconds


async def _copy(url: str, folder: Path, rows: list[Row]) -> float:
    """Copy into a table like the log's, with its indexes, durably; returns seconds."""
    server = await _connect(url)
    await server.execute("DROP TABLE IF EXISTS floor_events")
    await server.execute("CREATE TABLE floor_events (LIKE ledger_events INCLUDING ALL)")
    columns = ["originator_id", "originator_version", "topic", "state"]
    started = perf_counter()
    async with server.transaction():
        await server.copy_records_to_table("floor_events", records=rows, columns=columns)
    seconds = perf_counter() - started
    await server.close()
    return seconds
