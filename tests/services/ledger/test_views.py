"""An answer shows all of a loan, or its balances and lateness alone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1 import loan_pb2

from services.ledger import wire
from services.ledger.domain.book_events import RequestAnswered
from services.ledger.domain.events import RepaymentPosted
from services.ledger.domain.refusals import RequestIdReused
from services.ledger.wire_loan import loan_message
from tests.services.ledger.book import Book, open_book
from tests.services.ledger.domain.desk import Desk


def test_the_basic_view_is_the_full_one_without_terms_and_instalments() -> None:
    """Of a loan that is late and paid in part; the full view is what is not stated."""
    desk = Desk()
    desk.go_to(date(2026, 3, 9))
    desk.repay("500.00")

    full = loan_message(desk.account, desk.on, loan_pb2.LOAN_VIEW_FULL)
    basic = loan_message(desk.account, desk.on, loan_pb2.LOAN_VIEW_BASIC)

    assert loan_message(desk.account, desk.on, loan_pb2.LOAN_VIEW_UNSPECIFIED) == full
    assert len(full.instalments) == 12 and full.HasField("terms")
    assert basic.delinquency.days_past_due == 32
    full.ClearField("terms")
    full.ClearField("instalments")
    assert basic == full


async def test_the_same_repayment_shown_otherwise_is_the_same_request(tmp_path: Path) -> None:
    """Under one id: posted once, whatever of the loan each answer shows; another amount is not."""
    asked = pb.PostRepaymentRequest(
        request_id="money-1",
        loan_id="L-1",
        value_on="2026-01-05",
        amount=Money(amount_minor=1_000, currency="CNY"),
    )
    basic = pb.PostRepaymentRequest()
    basic.CopyFrom(asked)
    basic.view = loan_pb2.LOAN_VIEW_BASIC
    async with open_book(tmp_path) as book:
        await book.go_to(date(2026, 1, 5))
        await book.lend("L-1")

        answers = [await post(book, one) for one in (asked, basic, asked)]

        assert len({answer.loan_version for answer in answers}) == 1
        basic.amount.amount_minor = 2_000
        with pytest.raises(RequestIdReused):
            await post(book, basic)
        stored = book.writer.log.stream("loan/L-1")
    assert sum(isinstance(event, RepaymentPosted) for event in stored) == 1


async def test_what_was_answered_with_the_view_in_its_hash_stays_answered(tmp_path: Path) -> None:
    """A request of an earlier version, sent again after the upgrade."""
    asked = pb.PostRepaymentRequest(
        request_id="money-1",
        loan_id="L-1",
        value_on="2026-01-05",
        amount=Money(amount_minor=1_000, currency="CNY"),
        view=loan_pb2.LOAN_VIEW_BASIC,
    )
    async with open_book(tmp_path) as book:
        await book.go_to(date(2026, 1, 5))
        await book.lend("L-1")
        command = wire.repayment(asked, datetime.now(UTC))
        before = await book.writer.ask(command, wire.former_sha256(asked))

        assert await post(book, asked) == before


async def post(book: Book, request: pb.PostRepaymentRequest) -> RequestAnswered:
    """Post a repayment as the service does."""
    command = wire.repayment(request, datetime.now(UTC))
    hashes = wire.body_sha256(request), wire.former_sha256(request)
    return await book.writer.ask(command, *hashes)
