"""A whole ledger in one process: real SQLite files, no network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.loan_lists import LoanLists
from services.ledger.adapters.read_models import ReadModels
from services.ledger.application.accruing import Accruals
from services.ledger.application.ageing import Ageing
from services.ledger.application.following import Follower
from services.ledger.application.listing import LoanList
from services.ledger.application.posting import Writer
from services.ledger.application.projecting import Projection
from services.ledger.domain import commands as cmd
from services.ledger.domain.terms import Terms
from shared.runtime.database import open_database
from tests.services.ledger.domain.desk import TERMS


@dataclass(slots=True)
class Book:
    """Asks the writer, closes days, lists loans."""

    writer: Writer
    models: ReadModels
    ageing: Ageing
    loans: LoanList
    count: int = 0
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def ask(self, kind: type[cmd.Asked], loan_id: str, /, **asked: object) -> None:
        self.count += 1
        await self.writer.ask(
            kind(
                loan_id=loan_id,
                request_id=f"r-{self.count}",
                recorded_at=self.now(),
                business_on=None,
                **asked,
            ),
            f"hash-{self.count}",
        )

    async def lend(self, loan_id: str, terms: Terms = TERMS) -> None:
        """Open a loan and pay it out on the business date."""
        await self.ask(cmd.OpenLoan, loan_id, borrower_ref="B", product="p", terms=terms)
        paid = {"value_on": self.writer.business_on, "amount_minor": terms.principal_minor}
        await self.ask(cmd.DisburseLoan, loan_id, currency=terms.currency, **paid)

    async def repay(self, loan_id: str, amount_minor: int) -> None:
        """Take a repayment on the business date."""
        paid = {"value_on": self.writer.business_on, "amount_minor": amount_minor}
        await self.ask(cmd.PostRepayment, loan_id, currency="CNY", **paid)

    async def go_to(self, on: date) -> None:
        """Close days up to a date."""
        self.count += 1
        await self.ageing.advance(on, f"r-{self.count}", self.now())


@asynccontextmanager
async def open_book(folder: Path, log_url: str = "", read_url: str = "") -> AsyncIterator[Book]:
    """Open a ledger on the files of a folder, or on databases."""
    store = open_event_store(log_url or f"sqlite+aiosqlite:///{folder}/ledger.db")
    url = read_url or f"sqlite+aiosqlite:///{folder}/ledger-read.db"
    models = ReadModels(open_database(url))
    await models.create()
    projection = Projection(store, Follower(store, decode), models)
    writer = Writer(store, projection.woken.set)
    writer.load_business_date()
    accruals = Accruals(writer, projection, models)
    ageing = Ageing(writer, projection, models, accruals, asyncio.Lock())
    stop = asyncio.Event()
    work = [asyncio.create_task(w.run(stop)) for w in (writer, projection)]
    try:
        loans = LoanList(writer, projection, LoanLists(models.engine))
        # A book opened again asks anew: a request of an id that is known has no effect.
        yield Book(writer, models, ageing, loans, store.last_position())
    finally:
        stop.set()
        await asyncio.gather(*work)
        store.close()
        await models.engine.dispose()
