"""The book in one table, asked from the public APIs."""

from __future__ import annotations

import asyncio
import urllib.request
from collections import Counter
from typing import Any

import nats
from lending.collections.v1 import collections_service_pb2 as collections_pb
from lending.common.v1.page_pb2 import Page
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.ledger.v1 import loan_pb2
from prometheus_client.parser import text_string_to_metric_families
from rich.table import Table

from deploy.local.clients import Clients
from deploy.local.settings import SERVICES, Settings
from shared.kernel.money import format_amount

QUIET_SECONDS, WAIT_SECONDS_MAX = 1.5, 240.0


async def until_quiet(settings: Settings) -> None:
    """Wait until nothing more is published and collections has heard it all."""
    client = await nats.connect(f"nats://127.0.0.1:{settings.ports['nats']}")
    manager = client.jsm()
    last, waited = -1, 0.0
    while waited < WAIT_SECONDS_MAX:
        stream = await manager.stream_info("LENDING")
        behind = await asyncio.to_thread(_behind, settings.ports["collections"] + 100)
        if stream.state.last_seq == last and not behind:
            break
        last, waited = stream.state.last_seq, waited + QUIET_SECONDS
        await asyncio.sleep(QUIET_SECONDS)
    await client.close()


def _behind(metrics_port: int) -> float:
    """Return how many events a subscriber has not heard yet, as its metrics say."""
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=5) as page:
        families = text_string_to_metric_families(page.read().decode())
    lags = [f for f in families if f.name == "duebook_subscriber_lag_events"]
    return max((sample.value for lag in lags for sample in lag.samples), default=1.0)


async def summary(clients: Clients) -> Table:
    """Return the summary of the book on its business date."""
    loans = await _all(clients.ledger.ListLoans, ledger_pb.ListLoansRequest, "loans")
    cases = await _all(clients.collections.ListCases, collections_pb.ListCasesRequest, "cases")
    trial = await clients.ledger.GetTrialBalance(ledger_pb.GetTrialBalanceRequest())
    names = loan_pb2.LoanStatus.Name
    by_status = Counter(names(loan.status).removeprefix("LOAN_STATUS_") for loan in loans)
    active = [loan for loan in loans if loan.status == loan_pb2.LOAN_STATUS_ACTIVE]
    buckets = Counter(loan.bucket for loan in active)
    promises = Counter(
        collections_pb.PromiseStatus.Name(p.status).removeprefix("PROMISE_STATUS_").lower()
        for case in cases
        for p in case.promises
    )
    table = Table("the book", "figure", title=f"business date {trial.effective_on}")
    table.add_row("loans", f"{len(loans)}: " + _counts(by_status))
    table.add_row("active by bucket", _counts(buckets))
    table.add_row("principal outstanding", _sum(active, "principal_outstanding_minor"))
    table.add_row("arrears", _sum(active, "arrears_minor"))
    opened = sum(case.status == collections_pb.CASE_STATUS_OPEN for case in cases)
    table.add_row("cases", f"{len(cases)}, {opened} open")
    table.add_row("reminders sent", str(sum(len(case.reminders) for case in cases)))
    table.add_row("promises", _counts(promises))
    balance = sum(account.balance_minor for account in trial.accounts)
    table.add_row("trial balance", format_amount(balance, "CNY"))
    return table


def addresses(settings: Settings) -> Table:
    """Return where everything listens."""
    table = Table("service", "gRPC", "metrics")
    for name in sorted(SERVICES):
        metrics = f"http://127.0.0.1:{settings.ports[name] + 100}/metrics"
        table.add_row(name, settings.target(name), metrics)
    table.add_row("nats", f"nats://{settings.target('nats')}", "")
    return table


async def _all(call: Any, request: Any, name: str) -> list[Any]:
    found: list[Any] = []
    token = ""
    while True:
        page = await call(request(page=Page(size=1000, token=token)))
        found += getattr(page, name)
        token = page.next_page_token
        if not token:
            return found


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {counter[name]}" for name in sorted(counter))


def _sum(loans: list[Any], name: str) -> str:
    return f"{format_amount(sum(getattr(loan, name) for loan in loans), 'CNY')} CNY"
