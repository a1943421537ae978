"""The whole book, from the command line: keep it at month ends, show its risk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import typer
from google.protobuf.json_format import MessageToJson
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from rich.console import Console
from rich.table import Table as Printed

from services.risk import wire, wire_portfolio
from services.risk.adapters.artefacts import read_book_rules, read_toml
from services.risk.adapters.ledger_book import LedgerBook
from services.risk.adapters.report_page import page
from services.risk.application.exposures import Exposures
from services.risk.application.groups import Groups
from services.risk.application.portfolio import Portfolios
from services.risk.application.watch import Watch
from services.risk.config import APPLICATION_ID, RiskSettings
from services.risk.domain.group_warning import GroupRules
from services.risk.domain.indicators import WarningRules
from services.risk.domain.portfolio import Portfolio
from services.risk.entrypoints.portfolio_page import charts, summary, tables
from shared.kernel.money import format_amount
from shared.runtime.database import open_database
from shared.runtime.grpc_client import open_channel
from shared.runtime.records import Records


@asynccontextmanager
async def portfolios(settings: RiskSettings) -> AsyncIterator[Portfolios]:
    """Open the database for as long as it is needed."""
    records = Records(open_database(settings.database_url))
    book = Exposures(records)
    await book.create(APPLICATION_ID)
    yield Portfolios(book, *read_book_rules(settings.loss_file, settings.sharing_file))
    await records.engine.dispose()


async def keep_book(settings: RiskSettings, first: date, last: date, currency: str) -> None:
    """Keep the book of each month end from one date to another, and of the last date."""
    channel = open_channel(settings.ledger_target, settings.deadline_seconds, settings.tls())
    book = LedgerBook(LedgerServiceStub(channel), datetime.now(UTC).isoformat())
    rules = msgspec.convert(read_toml(settings.warning_file), WarningRules)
    group_rules = msgspec.convert(read_toml(settings.group_warning_file), GroupRules)
    async with portfolios(settings) as kept:
        watch = Watch(kept.records, rules, kept.exposures, wire.alert_told)
        for on in month_ends(first, last):
            loans = await kept.keep(book, on, currency)
            typer.echo(f"kept {loans:,} loans of {on}")
        for alert in await Groups(kept, watch, group_rules).settle(currency):
            typer.echo(f"{alert.raised_on} {alert.group}: {alert.text_en}")
    await channel.close()


def month_ends(first: date, last: date) -> Iterator[date]:
    """Return the ends of months from one date on, and at last the last date itself."""
    day = first
    while day < last:
        following = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        end = following - timedelta(days=1)
        if end < last:
            yield end
        day = following
    yield last


async def losses(settings: RiskSettings, as_of: date, currency: str, *, json: bool) -> None:
    """Print who bears the expected loss of a date, and its capital."""
    async with portfolios(settings) as kept:
        found = await kept.sharing(as_of, currency)
        said = wire_portfolio.sharing_message(found, as_of, currency, kept)
    if json:
        typer.echo(MessageToJson(said, always_print_fields_with_no_presence=True))
        return
    table = Printed("as", "who", "bears", title=f"Expected loss, {as_of}, {currency}")
    for one in said.bearers:
        table.add_row(one.role, one.party, format_amount(one.amount_minor, currency))
    console = Console(width=110)
    console.print(table)
    figures = said.exposure_minor, said.loss_minor, said.risk_weighted_minor, said.capital_minor
    exposure, loss, weighted, capital = (format_amount(one, currency) for one in figures)
    console.print(f"{said.loans:,} loans, at stake {exposure}, expected loss {loss}")
    console.print(f"risk-weighted {weighted}, capital {capital}; {said.sharing_version}")


async def show(
    settings: RiskSettings, as_of: date, currency: str, html: Path | None = None
) -> Portfolio:
    """Print the figures of a date, write them as a page if asked, and return them."""
    async with portfolios(settings) as kept:
        found = await kept.figures(as_of, currency)
        over_time = await kept.by_state(as_of, currency)
    console = Console(width=110)
    console.print(summary(found))
    for one in tables(found):
        printed = Printed(one.title, *one.head[1:])
        for row in one.rows:
            printed.add_row(*row)
        console.print(printed)
    if html is not None:
        parts = [*tables(found), *charts(found, over_time)]
        title = f"Portfolio, {found.as_of}, {currency}"
        html.write_text(page(title, [summary(found)], parts), encoding="utf-8")
    return found
