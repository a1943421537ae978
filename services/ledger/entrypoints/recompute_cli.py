"""The book recomputed by other people's programs, from the command line."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer
from prometheus_client import start_http_server

from services.ledger.compose_recompute import ANSWERS, recompute_each_day, recompute_once
from services.ledger.config import LedgerSettings
from services.ledger.entrypoints.forms import As, Form, write
from shared.runtime.telemetry import configure_logging


def recompute(
    each_day: Annotated[
        bool,
        typer.Option(help="Stay, and do it again after each day that is closed; see the metrics."),
    ] = False,
    metrics_port: Annotated[
        int, typer.Option(min=0, help="With --each-day: port of the metrics; 0 is off.")
    ] = 0,
    look_seconds: Annotated[
        float, typer.Option(min=0.1, help="With --each-day: how often to look for a closed day.")
    ] = 60.0,
    form: As = Form.TABLE,
) -> None:
    """
    Let DuckDB, beancount and hledger recompute the whole book; a cent apart is red.

    The ledger may be up. Exit code 1: a program differs; 2: one is not here; a timer or
    scheduler alarms on both.
    """
    settings = LedgerSettings()
    if each_day:
        configure_logging("ledger-recompute", settings.log_level)
        if metrics_port:
            start_http_server(metrics_port, addr=settings.grpc_host)
        asyncio.run(_stay(settings, look_seconds))
        return
    found = recompute_once(settings)
    rows = [(answer.program, ANSWERS[answer.agrees], answer.said) for answer in found.answers]
    write(form, ("program", "answer", "said"), rows)
    raise typer.Exit(found.code)


async def _stay(settings: LedgerSettings, look_seconds: float) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await recompute_each_day(settings, stop, look_seconds)
