"""The rows of a plan, all or as far as they are due: most looks at a loan go no further."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from services.ledger.domain.schedule import Instalment, Plan, first_of, schedule_of
from services.ledger.domain.timeline import Row


class BeyondHead(Exception):
    """Somebody looked beyond the first rows of a loan: the whole loan knows."""


class Head(list[Row]):
    """
    The first rows of a loan, as far as they are due or due soon, and one more.

    Whatever holds of all rows is not to be had of them: going through them to the end raises
    BeyondHead.
    """

    def __iter__(self) -> Iterator[Row]:
        """Go through the rows, oldest first, and refuse to end."""
        yield from super().__iter__()
        raise BeyondHead


def rows_of(plan: Plan) -> list[Row]:
    """Return the plan's instalments as unpaid rows, oldest first."""
    return [_unpaid(item) for item in schedule_of(plan)]


def head_of(plan: Plan, upto: date) -> list[Row]:
    """Return the rows due by a date, or soon after, and the next; a Head where others follow."""
    soon = timedelta(days=plan.terms.delinquency.due_soon_days)
    first, whole = first_of(plan, upto + soon)
    rows = [_unpaid(item) for item in first]
    return rows if whole else Head(rows)


def _unpaid(item: Instalment) -> Row:
    number, due_on, principal, interest, period = item
    return Row(number, period.start_on, due_on, principal, interest, period)
