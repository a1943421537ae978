"""Pages of loans that all show the book as known at one instant, whatever is posted meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple, Protocol

from services.ledger.application.posting import Writer
from services.ledger.application.projecting import CaughtUp
from services.ledger.application.reading import see_loan
from services.ledger.application.rows import days_past_due, line_of, microseconds, summary_row
from services.ledger.domain.refusals import LoanNotFound
from shared.kernel.errors import Refused
from shared.runtime.listing import (
    Condition,
    Order,
    Place,
    parse_filter,
    parse_order,
    place_of,
    query_id,
    token_of,
)

FILTERED: dict[str, type] = {
    "loan_id": str,
    "borrower_ref": str,
    "product": str,
    "currency": str,
    "status": str,
    "bucket": str,
    "days_past_due": int,
    "arrears_minor": int,
    "principal_outstanding_minor": int,
}
"""What a filter of loans can name; the bucket is that of scheme m."""

ORDERED = ("loan_id", "days_past_due", "arrears_minor", "principal_outstanding_minor")
NEVER_DUE = date(9999, 12, 31)
CHANGED_MAX = 10_000


class PageTokenExpired(Refused):
    """Too much has changed since the first page: list again from the start."""


class Window(NamedTuple):
    """Which rows are wanted: conditions, order, behind which row, as known at which instant."""

    conditions: tuple[Condition, ...]
    order: Order
    after: tuple[Any, str] | None
    known_at_us: int
    on: date
    size: int


class Listed(NamedTuple):
    """One page: rows with their days past due, the next page's token, and its two clocks."""

    rows: list[dict[str, Any]]
    next_token: str
    known_at: datetime
    on: date


class Summaries(Protocol):
    """The rows of loans."""

    async def unchanged(self, window: Window) -> list[dict[str, Any]]:
        """Return the next rows of a window that have not changed since its instant."""

    async def changed(self, since_us: int, limit: int) -> list[str]:
        """Return the ids of loans that changed after an instant."""


@dataclass(slots=True)
class LoanList:
    """Lists loans."""

    writer: Writer
    followers: CaughtUp
    summaries: Summaries

    async def page(self, filter_text: str, order_by: str, token: str, size: int) -> Listed:
        """
        Return one page.

        Args:
            filter_text: Conditions on FILTERED, joined by AND; empty for all.
            order_by: One of ORDERED, with or without desc; by loan id when empty.
            token: Of the page before; empty for the first page.
            size: Rows at most.
        Raises:
            FilterInvalid, OrderInvalid, PageTokenInvalid: the request cannot be read.
            PageTokenExpired: more than 10,000 loans have changed since the first page.
        """
        conditions = parse_filter(filter_text, FILTERED)
        order = parse_order(order_by, ORDERED)
        query = query_id(conditions, order)
        place = place_of(token, query) if token else None
        known_at = place.known_at if place else self.writer.settled_at(datetime.now(UTC))
        on = date.fromisoformat(place.effective_on) if place else self._today()
        await self.followers.caught_up()
        after = (place.key, place.last_id) if place else None
        window = Window(conditions, order, after, microseconds(known_at), on, size + 1)
        rows = [_dated(row, on) for row in await self.summaries.unchanged(window)]
        rows += await self._as_known(window, known_at)
        rows.sort(key=lambda row: _place(row, order))
        shown, more = rows[:size], len(rows) > size
        last = _token(shown[-1], order, query, known_at, on) if more else ""
        return Listed(shown, last, known_at, on)

    def _today(self) -> date:
        return self.writer.business_on or date.min

    async def _as_known(self, window: Window, known_at: datetime) -> list[dict[str, Any]]:
        """Return the rows that have changed since, as they were, where they belong to the page."""
        ids = await self.summaries.changed(window.known_at_us, CHANGED_MAX + 1)
        if len(ids) > CHANGED_MAX:
            raise PageTokenExpired("too much has changed since the first page", field="page.token")
        found = []
        for loan_id in ids:
            row = await asyncio.to_thread(self._row_then, loan_id, window.on, known_at)
            if row is None or not all(one.holds(row) for one in window.conditions):
                continue
            if window.after is None or _place(row, window.order) > _after(window):
                found.append(row)
        return found

    def _row_then(self, loan_id: str, on: date, known_at: datetime) -> dict[str, Any] | None:
        try:
            seen = see_loan(self.writer.log, loan_id, on, known_at=known_at)
        except LoanNotFound:
            return None
        return _dated(summary_row(seen.account, line_of(seen.account))._asdict(), on)


def _dated(row: dict[str, Any], on: date) -> dict[str, Any]:
    return {**row, "days_past_due": days_past_due(row["oldest_due_on"], on)}


def _key(row: dict[str, Any], order: Order) -> Any:
    """Return what a row is ordered by; lateness by its oldest due date, which does not move."""
    if order.field == "days_past_due":
        return row["oldest_due_on"] or NEVER_DUE
    return row[order.field]


def _place(row: dict[str, Any], order: Order) -> tuple[Any, str]:
    return _upwards(_key(row, order), order), row["loan_id"]


def _after(window: Window) -> tuple[Any, str]:
    assert window.after is not None
    value, last_id = window.after
    if window.order.field == "days_past_due":
        value = date.fromisoformat(value)
    return _upwards(value, window.order), last_id


def _upwards(key: Any, order: Order) -> Any:
    """Return a key that grows in the direction of the order."""
    if isinstance(key, date):
        return -key.toordinal() if not order.descending else key.toordinal()
    return -key if order.descending else key


def _token(row: dict[str, Any], order: Order, query: str, known_at: datetime, on: date) -> str:
    key = _key(row, order)
    text = key.isoformat() if isinstance(key, date) else key
    return token_of(Place(query, known_at, on.isoformat(), text, row["loan_id"]))
