"""Many repayments in one call: partial or all, once, and every item answered in its place."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path

from lending.common.v1.money_pb2 import Money
from lending.ledger.v1 import ledger_service_pb2 as pb

from services.ledger.entrypoints.batches import post_batch
from tests.services.ledger.book import Book, open_book

# The second loan does not exist, the fourth item has no amount, the fifth repeats the first id.
ITEMS = [
    ("pay-1", "L-1", 100),
    ("pay-2", "L-9", 100),
    ("pay-3", "L-2", 300),
    ("pay-4", "L-2", 0),
    ("pay-1", "L-1", 100),
]
REASONS = ["", "LOAN_NOT_FOUND", "", "REPAYMENT_NOT_POSITIVE", ""]


def batch(
    items: list[tuple[str, str, int]], *, atomic: bool = False
) -> pb.BatchPostRepaymentsRequest:
    """Return a batch of repayments on 5 January 2026."""
    return pb.BatchPostRepaymentsRequest(
        atomic=atomic,
        requests=[
            pb.PostRepaymentRequest(
                request_id=request_id,
                loan_id=loan_id,
                value_on="2026-01-05",
                amount=Money(amount_minor=amount, currency="CNY"),
            )
            for request_id, loan_id, amount in items
        ],
    )


async def posted(
    folder: Path, batches: list[pb.BatchPostRepaymentsRequest]
) -> tuple[list[pb.BatchPostRepaymentsResponse], list[int]]:
    """Return the answers, and what each of two loans received."""
    async with open_book(folder) as book:
        await book.go_to(date(2026, 1, 5))
        await book.lend("L-1")
        await book.lend("L-2")
        said = [await post_batch(book.writer, one, datetime.now(UTC)) for one in batches]
        return said, [received(book, "L-1"), received(book, "L-2")]


def received(book: Book, loan_id: str) -> int:
    """Return what a loan received, as the log says; minor units."""
    account = book.writer.account(loan_id)
    return account.timeline(date(2026, 1, 5)).received


def test_each_item_is_answered_in_its_place(tmp_path: Path) -> None:
    """Refused items say why; the others are posted; a repeated id counts once."""
    (first, again), money = asyncio.run(posted(tmp_path, [batch(ITEMS), batch(ITEMS)]))

    assert [r.refusal.reason for r in first.results] == REASONS
    assert [r.repayment_id for r in first.results] == [item[0] for item in ITEMS]
    assert first.results[2].allocations[0].amount_minor == 300
    assert first.posted == 3
    assert again == first
    assert money == [100, 300]


def test_all_or_none(tmp_path: Path) -> None:
    """One refusal refuses every item; the same items without it are all stored, and once."""
    good = [ITEMS[0], ITEMS[2]]
    batches = [batch(ITEMS, atomic=True), batch(good, atomic=True), batch(good, atomic=True)]
    (refused, stored, again), money = asyncio.run(posted(tmp_path, batches))

    reasons = [r.refusal.reason for r in refused.results]
    assert set(reasons) == {"BATCH_REFUSED", "LOAN_NOT_FOUND"}
    assert refused.posted == 0
    assert stored.posted == 2
    assert again == stored
    assert money == [100, 300]


def test_an_item_that_cannot_be_read(tmp_path: Path) -> None:
    """It is refused with its field; atomic, the others are too."""
    items = [("repay-0001", "L-1", 100), ("", "L-1", 100)]
    (partial, whole), money = asyncio.run(
        posted(
            tmp_path, [batch(items), batch([("repay-0002", "L-1", 5), ("", "L-1", 5)], atomic=True)]
        )
    )

    assert [r.refusal.reason for r in partial.results] == ["", "ID_NOT_VALID"]
    assert partial.results[1].refusal.field == "request_id"
    assert [r.refusal.reason for r in whole.results] == ["BATCH_REFUSED", "ID_NOT_VALID"]
    assert money == [100, 0]


async def ten_thousand(folder: Path) -> tuple[list[pb.BatchPostRepaymentsResponse], list[int]]:
    """Ten repayments of 0.01 into each of a thousand loans, sent twice."""
    async with open_book(folder) as book:
        await book.go_to(date(2026, 1, 5))
        await asyncio.gather(*[book.lend(f"L-{k}") for k in range(1000)])
        request = batch([(f"pay-{k}", f"L-{k % 1000}", 1) for k in range(10_000)])
        said = [await post_batch(book.writer, request, datetime.now(UTC)) for _ in range(2)]
        return said, [received(book, f"L-{k}") for k in range(1000)]


def test_what_is_still_being_read_is_not_settled(tmp_path: Path) -> None:
    """A list that is asked for while a batch is read does not show the book as of after it."""
    arrived = datetime(2026, 1, 5, 9, tzinfo=UTC)

    async def run() -> tuple[datetime, datetime]:
        async with open_book(tmp_path) as book:
            await book.go_to(date(2026, 1, 5))
            await book.lend("L-1")
            asked = asyncio.create_task(post_batch(book.writer, batch(ITEMS[:1]), arrived))
            await asyncio.sleep(0)
            meanwhile = book.writer.settled_at(datetime.now(UTC))
            await asked
            return meanwhile, book.writer.settled_at(datetime.now(UTC))

    meanwhile, after = asyncio.run(run())

    assert meanwhile < arrived < after


def test_ten_thousand_in_one_call(tmp_path: Path) -> None:
    """All are posted; sent again after a crash, none is posted twice."""
    (first, again), money = asyncio.run(ten_thousand(tmp_path))

    assert first.posted == again.posted == 10_000
    assert [r.loan_version for r in again.results] == [r.loan_version for r in first.results]
    assert money == [10] * 1000
