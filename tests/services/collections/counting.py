"""Figures of a book at once, as the service counts them borrower by borrower."""

from __future__ import annotations

from collections.abc import Iterable

from services.collections.domain.figures import Book, Span, Tally
from services.collections.domain.intervals import Count, Share


def tally(book: Book, span: Span) -> Tally:
    counted = Tally(span)
    counted.add(book)
    return counted


def shares(book: Book, span: Span) -> list[Share]:
    return tally(book, span).shares()


def share_of(rows: Iterable[tuple[str, bool | None]]) -> Share:
    """Count rows of borrower and whether it came about."""
    by_borrower: dict[str, list[bool | None]] = {}
    for who, did in rows:
        by_borrower.setdefault(who, []).append(did)
    count = Count()
    for came in by_borrower.values():
        count.add(came)
    return count.share("cure", "")
