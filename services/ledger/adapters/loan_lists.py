"""Loan summaries by filter and order, in SQL; the last word on a row that changed is the log's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, not_, or_, select, true
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ledger.adapters.tables import LOAN_SUMMARY
from services.ledger.application.listing import NEVER_DUE, Window
from shared.runtime.listing import COMPARED, Condition

_ROWS = LOAN_SUMMARY.c


@dataclass(slots=True)
class LoanLists:
    """Reads pages of the loan summaries."""

    engine: AsyncEngine

    async def unchanged(self, window: Window) -> list[dict[str, Any]]:
        """Return the next rows of a window that have not changed since its instant."""
        key, down = _key(window.order.field), window.order.descending
        if window.order.field == "days_past_due":
            down = not down
        query = select(LOAN_SUMMARY).where(
            _ROWS.changed_at_us <= window.known_at_us,
            *(_condition(one, window.on) for one in window.conditions),
        )
        if window.after is not None:
            value, last_id = window.after
            if window.order.field == "days_past_due":
                value = date.fromisoformat(str(value))
            beyond = key < value if down else key > value
            query = query.where(or_(beyond, and_(key == value, _ROWS.loan_id > last_id)))
        query = query.order_by(key.desc() if down else key, _ROWS.loan_id).limit(window.size)
        async with self.engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def changed(self, since_us: int, limit: int) -> list[str]:
        """Return the ids of loans that changed after an instant."""
        query = select(_ROWS.loan_id).where(_ROWS.changed_at_us > since_us).limit(limit)
        async with self.engine.connect() as connection:
            return list((await connection.execute(query)).scalars())


def _key(field: str) -> ColumnElement[Any]:
    if field == "days_past_due":
        return func.coalesce(_ROWS.oldest_due_on, NEVER_DUE)
    return _ROWS[field]


def _condition(one: Condition, on: date) -> ColumnElement[bool]:
    if one.field == "days_past_due":
        return _days_past_due(one.operator, int(one.value), on)
    return COMPARED[one.operator](_ROWS[one.field], one.value)  # type: ignore[return-value]


def _days_past_due(compared: str, days: int, on: date) -> ColumnElement[bool]:
    """Compare days past due through the oldest due date, so that an index can serve it."""
    if compared in ("<", "<="):
        return not_(_at_least(days + (compared == "<="), on))
    if compared in (">", ">="):
        return _at_least(days + (compared == ">"), on)
    equal = and_(_at_least(days, on), not_(_at_least(days + 1, on)))
    return equal if compared == "=" else not_(equal)


def _at_least(days: int, on: date) -> ColumnElement[bool]:
    if days <= 0:
        return true()
    if days > on.toordinal() - 1:
        return false()
    return func.coalesce(_ROWS.oldest_due_on, NEVER_DUE) <= on - timedelta(days=days)
