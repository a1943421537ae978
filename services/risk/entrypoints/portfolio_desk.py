"""The whole book, from the command line: keep it at month ends, show its risk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path

import typer
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from rich.console import Console
from rich.table import Table

from services.risk.adapters.artefacts import read_loss_rules
from services.risk.adapters.ledger_book import LedgerBook
from services.risk.application.exposures import Exposures
from services.risk.application.portfolio import Portfolios
from services.risk.config import APPLICATION_ID, RiskSettings
from services.risk.domain.portfolio import Part, Portfolio
from services.risk.domain.roll_rates import cure_rates, flow_rates
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
    yield Portfolios(book, read_loss_rules(settings.loss_file))
    await records.engine.dispose()


async def keep_book(settings: RiskSettings, first: date, last: date, currency: str) -> None:
    """Keep the book of each month end from one date to another, and of the last date."""
    channel = open_channel(settings.ledger_target, settings.deadline_seconds, settings.tls())
    book = LedgerBook(LedgerServiceStub(channel))
    async with portfolios(settings) as kept:
        for on in month_ends(first, last):
            loans = await kept.keep(book, on, currency)
            typer.echo(f"kept {loans:,} loans of {on}")
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


async def show(
    settings: RiskSettings, as_of: date, currency: str, html: Path | None = None
) -> Portfolio:
    """Print the figures of a date, into an HTML file too if asked, and return them."""
    async with portfolios(settings) as kept:
        found = await kept.figures(as_of, currency)
    console = Console(width=110, record=html is not None)

    def money(minor: int) -> str:
        return format_amount(minor, currency)

    console.print(
        f"{found.as_of} {currency}: {found.loans:,} loans, balance {money(found.balance_minor)}, "
        f"allowance {money(found.allowance_minor)}, five-tier provision "
        f"{money(found.provision_minor)}, product HHI {found.product_hhi} ({found.rules_version})"
    )
    for title, parts in (
        ("stage", found.by_stage),
        ("bucket", found.by_state),
        ("product", found.by_product),
        ("borrower", found.largest_borrowers[:5]),
    ):
        console.print(_parts(title, parts, currency))
    stress = ", ".join(f"{name} {money(loss)}" for name, loss in found.scenarios)
    console.print(f"allowance if a scenario were certain: {stress}")
    console.print(_rolls(found))
    console.print(_vintages(found))
    if html is not None:
        console.save_html(str(html))
    return found


def _parts(title: str, parts: tuple[Part, ...], currency: str) -> Table:
    table = Table(title, "loans", "balance", "allowance", "of balance")
    for part in parts:
        share = part.allowance_minor / part.balance_minor if part.balance_minor else 0
        balance = format_amount(part.balance_minor, currency)
        loss = format_amount(part.allowance_minor, currency)
        table.add_row(part.name, f"{part.loans:,}", balance, loss, f"{share:.2%}")
    return table


def _rolls(found: Portfolio) -> Table:
    flows, cures = flow_rates(found.matrix), cure_rates(found.matrix)
    table = Table("rolls from", "loans", *found.matrix.states, "flow", "cure")
    matrix = found.matrix
    for state, counts, row in zip(matrix.states, matrix.counts, matrix.by_count(), strict=True):
        if sum(counts):
            cells = [f"{100 * cell:.1f}" if cell else "" for cell in map(float, row)]
            flow = f"{float(flows.get(state, 0)):.1%}"
            cure = f"{float(cures[state]):.1%}" if state in cures else ""
            table.add_row(state, str(sum(counts)), *cells, flow, cure)
    return table


def _vintages(found: Portfolio) -> Table:
    shown = (3, 6, 9, 12, 15, 18, 21, 24)
    table = Table("vintage", "loans", *(f"{mob} m" for mob in shown))
    for row in found.vintages:
        cells = [row.ever_bad[mob - 1] for mob in shown]
        texts = ["" if cell is None else f"{float(cell):.1%}" for cell in cells]
        table.add_row(row.month, str(row.loans), *texts)
    return table
