"""The book as a running ledger tells it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from services.risk.adapters.ledger_book import LedgerBook
from services.risk.application.portfolio import DateNotReached
from tests.system.one_ledger import ledger_on
from tests.system.test_ledger_process import TERMS, cny

LEDGER = "lending.ledger.v1.LedgerService"
NOW = "2100-01-01T00:00:00+00:00"


async def test_no_book_of_a_date_that_has_not_come(tmp_path: Path) -> None:
    """Before the first business date there is no book; then up to that date and no further."""
    with ledger_on(f"sqlite+aiosqlite:///{tmp_path}/ledger.db", tmp_path) as ledger:
        async with ledger.channel() as channel:
            book = LedgerBook(LedgerServiceStub(channel), NOW)
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


async def test_a_book_is_as_known_at_one_instant(tmp_path: Path) -> None:
    """Paid, and opened, while the book is read: all of it is as it was when reading began."""

    def call(method: str, number: int, **body: object) -> None:
        named = {"requestId": f"request-{method}-{number}", **body}
        ledger.service.call(f"{LEDGER}/{method}", **named)

    def lend(number: int) -> None:
        loan = {"loanId": f"L-{number}", "borrowerRef": "B-1", "product": "p"}
        call("OpenLoan", number, **loan, terms=TERMS)
        paid = {"valueOn": "2026-01-05", "amount": cny(1_200_000)}
        call("DisburseLoan", number, loanId=f"L-{number}", **paid)

    with ledger_on(f"sqlite+aiosqlite:///{tmp_path}/ledger.db", tmp_path) as ledger:
        async with ledger.channel() as channel:
            call("AdvanceBusinessDate", 0, to="2026-01-05")
            lend(1)
            call("AdvanceBusinessDate", 1, to="2026-03-31")
            began = datetime.now(UTC).isoformat()
            pinned = LedgerBook(LedgerServiceStub(channel), began)
            before = await pinned.on(date(2026, 3, 31), "CNY")
            money = {"amount": cny(100_000), "valueOn": "2026-03-31"}
            call("PostRepayment", 2, loanId="L-1", **money)
            lend(2)
            again = await pinned.on(date(2026, 3, 31), "CNY")
            now = await LedgerBook(LedgerServiceStub(channel), NOW).on(date(2026, 3, 31), "CNY")

    assert [row.loan_id for row in before] == ["L-1"]
    assert again == before
    assert [row.loan_id for row in now] == ["L-1", "L-2"]
    assert now[0].balance_minor < before[0].balance_minor
