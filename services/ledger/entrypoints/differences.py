"""What changed of a book as rows: a figure each, with a column for every cause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lending.ledger.v1 import audit_service_pb2 as pb

LOAN_HEADER = ("loan", "currency", "event", "cause", "on", "figure", "change")


def book_rows(
    books: Sequence[pb.BookDifference],
) -> tuple[Sequence[str], list[tuple[Any, ...]]]:
    """Return the header and the rows of books; the last row of each counts loans by cause."""
    causes = sorted({one.cause for book in books for one in book.causes})
    rows: list[tuple[Any, ...]] = []
    for book in books:
        by_cause = {one.cause: one for one in book.causes}
        each = [by_cause.get(cause, pb.DifferenceCause()) for cause in causes]
        rows += [
            (
                book.currency,
                figure,
                book.before.get(figure, 0),
                *(one.changes.get(figure, 0) for one in each),
                book.after.get(figure, 0),
            )
            for figure in sorted({*book.before, *book.after})
        ]
        rows.append((book.currency, "loans", "", *(one.loans for one in each), ""))
    return ("currency", "figure", "before", *causes, "after"), rows


def loan_rows(loans: Iterable[pb.LoanDifference]) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each figure that a cause changed, loan by loan."""
    for one in loans:
        for step in one.steps:
            for figure, change in sorted(step.changes.items()):
                place = (one.loan_id, one.currency, step.version, step.cause, step.on)
                yield *place, figure, change
