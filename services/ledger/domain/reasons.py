"""Why a loan is that late: the instalments of which something is owed, by component."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from services.ledger.domain.timeline import NO_PENALTY, Row, Timeline
from services.ledger.domain.waterfall import Component


class OwedInstalment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is unpaid of one instalment; minor units, penalty interest earned by then included."""

    number: int
    due_on: date
    principal_minor: int = 0
    interest_minor: int = 0
    penalty_minor: int = 0
    fee_minor: int = 0
    cost_minor: int = 0


def instalments_owed(line: Timeline, oldest_due_on: date | None) -> tuple[OwedInstalment, ...]:
    """
    Return what is unpaid of the instalments that are due on a line's date or soon after.

    Args:
        line: The loan on that date; its head is enough.
        oldest_due_on: Due date of the first that is overdue; None if none is.
    """
    owed, until = [], line.on + timedelta(days=line.terms.delinquency.due_soon_days)
    since = oldest_due_on or line.on
    for row in line.rows:
        if row.due_on > until:
            break
        if row.due_on >= since and row.unpaid > 0:
            owed.append(_owed(line, row))
    return tuple(owed)


def _owed(line: Timeline, row: Row) -> OwedInstalment:
    penalty = fee = cost = 0
    if row.penalty_exact is not NO_PENALTY:
        penalty = max(0, line.penalty_due(row) - row.penalty_paid)
    for charge in row.charges:
        unpaid = charge.due - charge.paid
        match charge.component:
            case Component.PENALTY:
                penalty += unpaid
            case Component.COST:
                cost += unpaid
            case _:
                fee += unpaid
    interest = row.interest_due - row.interest_paid
    return OwedInstalment(
        row.number, row.due_on, row.principal_unpaid, interest, penalty, fee, cost
    )
