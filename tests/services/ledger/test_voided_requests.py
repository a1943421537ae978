"""A request that is to have no effect any more has none, however late it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from services.ledger.adapters.event_mapper import decode, encode
from services.ledger.application.inspecting import Written, inspect
from services.ledger.application.voiding import void
from services.ledger.domain import commands as cmd
from services.ledger.domain.book_events import RequestVoided
from services.ledger.domain.facts import LoanStatus
from services.ledger.domain.refusals import LoanNotFound, RequestIdReused
from tests.services.ledger.book import Book, open_book
from tests.services.ledger.domain.desk import TERMS

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.fixture
async def book(tmp_path: Path) -> AsyncIterator[Book]:
    async with open_book(tmp_path) as made:
        await made.go_to(date(2026, 1, 5))
        await made.ask(cmd.OpenLoan, "L-1", borrower_ref="B", product="p", terms=TERMS)
        yield made


async def pay_out(book: Book, loan_id: str = "L-1", request_id: str = "out-1") -> None:
    command = cmd.DisburseLoan(
        loan_id=loan_id,
        request_id=request_id,
        recorded_at=AT,
        business_on=None,
        value_on=date(2026, 1, 5),
        amount_minor=TERMS.principal_minor,
        currency="CNY",
    )
    await book.writer.ask(command, "body of the payout")


async def make_void(book: Book, loan_id: str = "L-1", request_id: str = "out-1") -> RequestVoided:
    event = RequestVoided(
        recorded_at=datetime.now(UTC),
        request_id=request_id,
        loan_id=loan_id,
        reason="taken back by wire 7",
        voided_by="service/origination",
    )
    return await void(book.writer, event, "body of the void")


def status(book: Book, loan_id: str = "L-1") -> LoanStatus:
    account = book.writer.account(loan_id)
    assert account is not None
    return account.status


async def test_what_comes_later_is_refused(book: Book) -> None:
    """The loan stays as it was opened; asked again, the void has its first answer."""
    first = await make_void(book)

    with pytest.raises(RequestIdReused):
        await pay_out(book)

    assert status(book) is LoanStatus.OPENED
    assert await make_void(book) == first
    await pay_out(book, request_id="out-2")
    assert status(book) is LoanStatus.ACTIVE


async def test_what_came_first_stays(book: Book) -> None:
    """A request that had its effect cannot be called void; nor one about no loan."""
    await pay_out(book)

    with pytest.raises(RequestIdReused):
        await make_void(book)
    with pytest.raises(LoanNotFound):
        await make_void(book, "L-none", "out-9")

    await pay_out(book)
    assert status(book) is LoanStatus.ACTIVE


async def test_of_both_at_once_one_counts(book: Book) -> None:
    """Whichever is first: void and unpaid, or paid out and not void; never both, never neither."""
    ends, k = list[bool](), 0
    while (k < 30 or len(set(ends)) < 2) and k < 500:
        k += 1
        name = f"L-{k + 1}"
        await book.ask(cmd.OpenLoan, name, borrower_ref="B", product="p", terms=TERMS)
        paying = asyncio.create_task(pay_out(book, name, f"o-{k}"))
        for _ in range(k % 30 * k):
            await asyncio.sleep(0)
        done = await asyncio.gather(paying, make_void(book, name, f"o-{k}"), return_exceptions=True)
        refused = [isinstance(one, RequestIdReused) for one in done]
        assert sorted(refused) == [False, True]
        assert (status(book, name) is LoanStatus.OPENED) == refused[0]
        ends.append(refused[0])
    assert set(ends) == {True, False}


async def test_two_writers_agree(book: Book, tmp_path: Path) -> None:
    """What one process made void the other refuses, also where it knew the loan before."""
    async with open_book(tmp_path) as other:
        assert other.writer.account("L-1") is not None
        await make_void(book)

        with pytest.raises(RequestIdReused):
            await pay_out(other)
        assert status(other) is LoanStatus.OPENED


async def test_an_auditor_sees_it_and_nothing_is_wrong(book: Book) -> None:
    """Who made it void, when and why; the answer that no fact carries is no finding."""
    await make_void(book)
    await pay_out(book, request_id="out-2")

    found = inspect(book.writer.log, Written(decode, encode))

    assert [verdict.different for verdict in found] == [[]] * 5
    [event] = book.writer.log.stream("void/out-1")
    assert isinstance(event, RequestVoided)
    assert (event.reason, event.voided_by) == ("taken back by wire 7", "service/origination")
