"""Lists of loans: filtered, ordered, and of one instant over all pages."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path

import msgspec
import pytest

from services.ledger.application.listing import FILTERED, ORDERED, Listed
from shared.runtime.listing import FilterInvalid, OrderInvalid, PageTokenInvalid, parse_filter
from tests.services.ledger.book import Book, open_book
from tests.services.ledger.domain.desk import TERMS

LATER = msgspec.structs.replace(TERMS, first_due_on=date(2026, 4, 5))
# Paid on 5 Feb 2026 of each loan, minor units; 1,120.00 was due. Looked at on 10 March.
PAID = {"L-1": 112_000, "L-2": 0, "L-3": 112_000, "L-4": 50_000, "L-5": 1_212_000}


async def five_loans(folder: Path, look) -> object:
    """Build the book, look at it, and return what was seen."""
    async with open_book(folder) as book:
        await book.go_to(date(2026, 1, 5))
        for loan_id in PAID:
            await book.lend(loan_id)
        await book.go_to(date(2026, 2, 5))
        for loan_id, amount in PAID.items():
            if amount:
                await book.repay(loan_id, amount)
        await book.go_to(date(2026, 3, 10))
        return await look(book)


async def whole(book: Book, text: str = "", order: str = "", size: int = 10) -> list[str]:
    """Return the ids of every page."""
    found, token = [], ""
    while True:
        page = await book.loans.page(text, order, token, size)
        found += [row["loan_id"] for row in page.rows]
        token = page.next_token
        if not token:
            return found


LISTS = [
    # filter | order | loans
    ("", "", ["L-1", "L-2", "L-3", "L-4", "L-5"]),
    ('status = "ACTIVE"', "", ["L-1", "L-2", "L-3", "L-4"]),
    ("status != ACTIVE", "", ["L-5"]),
    ("days_past_due >= 33", "", ["L-2", "L-4"]),
    ("days_past_due > 33", "", []),
    ("days_past_due = 5", "", ["L-1", "L-3"]),
    ("days_past_due < 5", "", ["L-5"]),
    ("days_past_due <= 5 AND status = ACTIVE", "", ["L-1", "L-3"]),
    ("days_past_due != 33", "", ["L-1", "L-3", "L-5"]),
    ("bucket = M2", "arrears_minor desc", ["L-2", "L-4"]),
    ("", "days_past_due desc", ["L-2", "L-4", "L-1", "L-3", "L-5"]),
    ("", "days_past_due", ["L-5", "L-1", "L-3", "L-2", "L-4"]),
    ("", "principal_outstanding_minor desc", ["L-2", "L-4", "L-1", "L-3", "L-5"]),
    ('loan_id > "L-3"', "", ["L-4", "L-5"]),
]


def test_filters_and_orders(tmp_path: Path) -> None:
    """In one page and in pages of one."""

    async def look(book: Book) -> list[tuple[list[str], list[str]]]:
        return [
            (await whole(book, text, order), await whole(book, text, order, size=1))
            for text, order, _ in LISTS
        ]

    seen = asyncio.run(five_loans(tmp_path, look))

    assert seen == [(loans, loans) for _, _, loans in LISTS]


@pytest.mark.parametrize("order", [*ORDERED, *(f"{name} desc" for name in ORDERED[1:])])
def test_pages_show_the_instant_of_the_first(tmp_path: Path, order: str) -> None:
    """Everything is paid and a loan is added between two pages; the list does not move."""

    async def look(book: Book) -> tuple[list[tuple], list[tuple]]:
        calm = shown(await book.loans.page("", order, "", 10))
        first = await book.loans.page("", order, "", 2)
        for loan_id in ("L-1", "L-2", "L-4"):
            await book.repay(loan_id, 200_000)
        second = await book.loans.page("", order, first.next_token, 2)
        await book.go_to(date(2026, 3, 11))
        await book.lend("L-0", LATER)
        third = await book.loans.page("", order, second.next_token, 2)
        assert not third.next_token
        return calm, shown(first) + shown(second) + shown(third)

    calm, moved = asyncio.run(five_loans(tmp_path, look))

    assert moved == calm


def shown(page: Listed) -> list[tuple]:
    """Return what a page says of its loans."""
    return [tuple(row[name] for name in FILTERED) for row in page.rows]


REFUSED = [
    ("luck = 7", "", "", FilterInvalid),
    ("days_past_due >= soon", "", "", FilterInvalid),
    ("status ACTIVE", "", "", FilterInvalid),
    ("status = ACTIVE OR status = SETTLED", "", "", FilterInvalid),
    ("status = ACTIVE days_past_due = 1", "", "", FilterInvalid),
    ("x" * 1001, "", "", FilterInvalid),
    ("", "luck", "", OrderInvalid),
    ("", "loan_id desc", "", OrderInvalid),
    ("", "", "bm90IGEgdG9rZW4", PageTokenInvalid),
    ("", "", "\u00e9", PageTokenInvalid),
]


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """With the field, and what was expected; a token belongs to its query."""

    async def look(book: Book) -> None:
        for text, order, token, refusal in REFUSED:
            with pytest.raises(refusal) as refused:
                await book.loans.page(text, order, token, 2)
            assert refused.value.field in ("filter", "order_by", "page.token")
        first = await book.loans.page("", "", "", 2)
        with pytest.raises(PageTokenInvalid):
            await book.loans.page("bucket = M1", "", first.next_token, 2)

    asyncio.run(five_loans(tmp_path, look))


def test_a_quoted_value_may_hold_anything() -> None:
    """Quotes and AND inside a value are a part of it."""
    found = parse_filter('product = "a \\"b\\" AND c" AND arrears_minor > -1', FILTERED)

    assert [(c.field, c.value) for c in found] == [
        ("product", 'a "b" AND c'),
        ("arrears_minor", -1),
    ]
