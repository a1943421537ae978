"""Measure risk: decisions under load against an empty echo, and a million loans' allowances."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Annotated

import grpc
import numpy as np
import typer
from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from lending.risk.v1 import risk_service_pb2 as pb
from lending.risk.v1.risk_service_pb2_grpc import RiskServiceStub
from rich.console import Console
from rich.table import Table

from services.risk.adapters.artefacts import read_loss_rules
from services.risk.config import RiskSettings
from services.risk.domain.book_losses import BookArrays, Hazards, allowances, hazards_of
from services.risk.domain.roll_rates import Move, roll_matrix
from services.risk.domain.staging import LossRules, Stage, allowance
from services.risk.training.datasets import german
from shared.runtime.nats_server import start_nats
from tests.bench.measures import Measure
from tests.system.processes import ROOT, Service, free_port

CALLERS, RUNS, LOANS, EXACT = 16, 5, 1_000_000, 300
GIVEN = german().applicants()
_ids = itertools.count()


def application() -> pb.ScoreApplicationRequest:
    """Return one of the real applications, as a new one."""
    number = next(_ids)

    def cny(minor: int) -> Money:
        return Money(amount_minor=minor, currency="CNY")

    return pb.ScoreApplicationRequest(
        request_id=f"score-{number}",
        application_id=f"A-{number}",
        borrower_ref=f"B-{number}",
        product="consumer-2026",
        amount=cny(1_000_000),
        instalments=12,
        monthly_income=cny(1_000_000),
        monthly_debt_payments=cny(0),
        monthly_instalment=cny(100_000),
        age_years=30,
        attributes=GIVEN[number % len(GIVEN)],
        decided_on="2026-03-05",
    )


async def latencies(call: Callable[[], Awaitable[object]], seconds: float) -> list[float]:
    """Return the seconds of each call of so many callers, each waiting for its answer."""
    until, found = perf_counter() + seconds, []

    async def caller() -> None:
        while (started := perf_counter()) < until:
            await call()
            found.append(perf_counter() - started)

    await asyncio.gather(*[caller() for _ in range(CALLERS)])
    return found


async def decisions(folder: Path, seconds: float) -> list[Measure]:
    """Ask risk and an empty echo, in turns."""
    port, echo_port, nats_port = free_port(), free_port(), free_port()
    nats = start_nats(folder / "nats", nats_port)
    echo = subprocess.Popen([sys.executable, "-m", "tests.bench.floors", str(echo_port)], cwd=ROOT)
    environment = {
        "RISK_GRPC_PORT": str(port),
        "RISK_METRICS_PORT": "0",
        "RISK_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/risk.db",
        "RISK_NATS_URL": f"nats://127.0.0.1:{nats_port}",
    }
    risk = Service("risk", port, environment, folder / "risk.log")
    risk.start()
    p50 = Measure("decision.p50", "ms", "p50 of an empty echo, as many callers", "sqlite")
    p99 = Measure("decision.p99", "ms", "p99 of an empty echo, as many callers", "sqlite")
    try:
        async with (
            grpc.aio.insecure_channel(f"127.0.0.1:{port}") as ours,
            grpc.aio.insecure_channel(f"127.0.0.1:{echo_port}") as empty,
        ):
            stub, nothing = RiskServiceStub(ours), LedgerServiceStub(empty)
            ping = ledger_pb.PostRepaymentRequest(request_id="ping")
            await latencies(lambda: stub.ScoreApplication(application()), seconds / 2)
            for _ in range(RUNS):
                said = await latencies(lambda: stub.ScoreApplication(application()), seconds)
                floor = await latencies(lambda: nothing.PostRepayment(ping), seconds)
                for measure, place in ((p50, 49), (p99, 98)):
                    cuts = [1000 * quantiles(one, n=100)[place] for one in (said, floor)]
                    measure.add(*cuts)
    finally:
        risk.stop()
        for process in (echo, nats):
            process.terminate()
            process.wait()
    return [p50, p99]


def a_million() -> tuple[BookArrays, Hazards]:
    """Return a book of a million loans of 1 to 60 months, from a fixed seed."""
    rules = read_loss_rules(RiskSettings().loss_file)
    late = [Move("M0", "M0", 1)] * 95 + [Move("M0", "M1", 1)] * 5 + [Move("M1", "M0", 1)] * 5
    hazards = hazards_of(roll_matrix([*late, *[Move("M1", "M4", 1)] * 5]), rules, 60)
    chance = np.random.default_rng(1)
    months, balance = chance.integers(1, 61, LOANS), chance.integers(1_000, 10**8, LOANS)
    state = chance.choice([0, 1, 4], LOANS, p=[0.93, 0.05, 0.02])
    left = np.clip(months[:, None] - np.arange(60), 0, None) / months[:, None]
    stage = np.array([1, 2, 0, 0, 3])[state]
    rate = chance.uniform(0.05, 0.24, LOANS) / 12
    columns = {"state": state, "stage": stage, "balance_minor": balance, "rate_month": rate}
    return BookArrays(**columns, remaining=left * balance[:, None]), hazards


def _exact(book: BookArrays, rules: LossRules, hazards: Hazards, place: int) -> Decimal:
    left = [Decimal(one) for one in book.remaining[place].tolist() if one > 0]
    return allowance(
        rules,
        Stage(int(book.stage[place])),
        exposures=left,
        pds=[Decimal(one) for one in hazards.by_state[book.state[place]][: len(left)]],
        eir_month=Decimal(float(book.rate_month[place])),
    )


def whole_book() -> Measure:
    """Compute a million allowances, and some of them exactly one by one as the floor."""
    rules, (book, hazards) = read_loss_rules(RiskSettings().loss_file), a_million()
    found = Measure("whole_book.allowances", "µs a loan", "the exact figure, loan by loan")
    for run in range(3):
        started = perf_counter()
        losses = allowances(book, rules, hazards)
        ours = (perf_counter() - started) / LOANS
        places = range(run * EXACT, (run + 1) * EXACT)
        started = perf_counter()
        exact = [_exact(book, rules, hazards, place) for place in places]
        found.add(1e6 * ours, 1e6 * (perf_counter() - started) / EXACT)
        worst = max(abs(int(losses[k]) - one) for k, one in zip(places, exact, strict=True))
        assert worst <= 1, worst
    return found


def main(
    quick: Annotated[bool, typer.Option(help="Shorter runs, in under a minute.")] = False,
) -> None:
    """Print a table: ours, the floor of the same run, and the ratio with its spread."""
    folder = Path(tempfile.mkdtemp(prefix="duebook-risk-"))
    try:
        found = asyncio.run(decisions(folder, 1.5 if quick else 6.0))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    table = Table("figure", "ours", "floor", "ratio (min to max)", "floor is")
    for one in (*found, whole_book()):
        said = one.as_json()
        spread = f"{said['ratio']:.3g} ({said['min']:.3g} to {said['max']:.3g})"
        ours, floor = (f"{said[name]:.3g} {one.unit}" for name in ("ours", "floor"))
        table.add_row(one.name, ours, floor, spread, one.floor_is)
    Console(width=110).print(table)


if __name__ == "__main__":
    typer.run(main)
