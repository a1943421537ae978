"""The book as a running ledger tells it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from services.risk.adapters.ledger_book import LedgerBook
from services.risk.application.portfolio import DateNotReached
from tests.system.one_ledger import ledger_on

LEDGER = "lending.ledger.v1.LedgerService"


async def test_no_book_of_a_date_that_has_not_come(tmp_path: Path) -> None:
    """Before the first business date there is no book; then up to that date and no further."""
    with ledger_on(f"sqlite+aiosqlite:///{tmp_path}/ledger.db", tmp_path) as ledger:
        async with ledger.channel() as channel:
            book = LedgerBook(LedgerServiceStub(channel))
            with pytest.raises(DateNotReached) as never:
                await book.on(date(2026, 1, 31), "CNY")
            day = {"requestId": "day-1", "to": "2026-01-31"}
            ledger.service.call(f"{LEDGER}/AdvanceBusinessDate", **day)
            reached = await book.on(date(2026, 1, 31), "CNY")
            with pytest.raises(DateNotReached) as later:
                await book.on(date(2026, 2, 1), "CNY")

    assert reached == []
    assert never.value.reason == "DATE_NOT_REACHED"
    assert (later.value.reason, later.value.expected) == (
        "DATE_NOT_REACHED",
        "2026-01-31 or earlier",
    )
