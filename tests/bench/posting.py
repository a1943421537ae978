"""Posted repayments through gRPC, durable, against an empty echo and one durable insert."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import grpc
from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1 import loan_pb2
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from services.ledger.wire_terms import terms_message
from tests.bench import batches
from tests.bench.floors import durable_inserts
from tests.bench.measures import Measure
from tests.services.ledger.domain.desk import TERMS
from tests.system.one_ledger import ledger_on
from tests.system.processes import ROOT, free_port

LOANS = 2_000
STARTS_ON = "2026-01-05"
_ids = itertools.count()


def repayment(view: int = loan_pb2.LOAN_VIEW_FULL) -> pb.PostRepaymentRequest:
    """Return a repayment of 1.00 on one of the loans."""
    number = next(_ids)
    return pb.PostRepaymentRequest(
        request_id=f"pay-{number}",
        loan_id=f"L-{number % LOANS}",
        value_on=STARTS_ON,
        amount=Money(amount_minor=100, currency="CNY"),
        view=view,
    )


async def rate(
    stub: Any, callers: int, seconds: float, view: int = loan_pb2.LOAN_VIEW_FULL
) -> float:
    """Return calls per second of so many callers, each waiting for its answer."""
    until, done = perf_counter() + seconds, 0

    async def caller() -> None:
        nonlocal done
        while perf_counter() < until:
            await stub.PostRepayment(repayment(view))
            done += 1

    started = perf_counter()
    await asyncio.gather(*[caller() for _ in range(callers)])
    return done / (perf_counter() - started)


async def p50(stub: Any, calls: int) -> float:
    """Return the median seconds of calls, one after the other."""
    seconds = []
    for _ in range(calls):
        started = perf_counter()
        await stub.PostRepayment(repayment())
        seconds.append(perf_counter() - started)
    return median(seconds)


async def open_book(stub: Any) -> None:
    """Open and pay the loans out."""
    await stub.AdvanceBusinessDate(pb.AdvanceBusinessDateRequest(request_id="day", to=STARTS_ON))
    terms = terms_message(TERMS)
    money = Money(amount_minor=TERMS.principal_minor, currency="CNY")

    async def lend(k: int) -> None:
        name = f"L-{k}"
        await stub.OpenLoan(
            pb.OpenLoanRequest(
                request_id=f"open-{k}", loan_id=name, borrower_ref="B-1", product="p", terms=terms
            )
        )
        await stub.DisburseLoan(
            pb.DisburseLoanRequest(
                request_id=f"out-{k}", loan_id=name, value_on=STARTS_ON, amount=money
            )
        )

    for first in range(0, LOANS, 500):
        await asyncio.gather(*[lend(k) for k in range(first, first + 500)])


@asynccontextmanager
async def serving(url: str, folder: Path) -> AsyncIterator[Any]:
    """Run a ledger and its bus as processes, and yield a stub of it."""
    with ledger_on(url, folder) as ledger:
        async with ledger.channel() as channel:
            yield LedgerServiceStub(channel)


async def measure(
    store: str, url: str, folder: Path, runs: int, seconds: float, say: Callable[[str], None]
) -> list[Measure]:
    """Run ledger and echo side by side, in turns."""
    echo_port = free_port()
    echo = subprocess.Popen([sys.executable, "-m", "tests.bench.floors", str(echo_port)], cwd=ROOT)
    try:
        async with (
            serving(url, folder) as ours,
            grpc.aio.insecure_channel(f"127.0.0.1:{echo_port}") as empty,
        ):
            await open_book(ours)
            stubs = ours, LedgerServiceStub(empty)
            found = await _turns(store, url, stubs, folder, runs, seconds, say)
            return [*found, await batches.measure(store, url, ours, repayment, folder, runs, say)]
    finally:
        echo.kill()
        echo.wait()


async def _turns(
    store: str,
    url: str,
    stubs: tuple[Any, Any],
    folder: Path,
    runs: int,
    seconds: float,
    say: Callable[[str], None],
) -> list[Measure]:
    many = Measure(f"post_single_64.{store}", "calls/s", "empty gRPC echo, 64 callers")
    basic = Measure(
        f"post_single_64_basic.{store}", "calls/s", "the same echo; answers without the schedule"
    )
    one = Measure(
        f"post_single_1_p50.{store}",
        "s",
        "p50 of echo plus one insert and fsync in the same store",
    )
    for run in range(runs):
        say(f"{store}: posting, run {run + 1} of {runs}")
        echo = await rate(stubs[1], 64, seconds)
        many.add(await rate(stubs[0], 64, seconds), echo)
        basic.add(await rate(stubs[0], 64, seconds, loan_pb2.LOAN_VIEW_BASIC), echo)
        inserted = median(durable_inserts(url, folder, 200, b"x" * 600))
        one.add(await p50(stubs[0], 200), await p50(stubs[1], 200) + inserted)
    return [many, basic, one]
