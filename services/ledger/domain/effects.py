"""What a command would do: journal lines, schedule, days past due, events; nothing is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from services.ledger.domain.delinquency import Standing, standing_of
from services.ledger.domain.events import Fact, Financial, Posting
from services.ledger.domain.explain import figures
from services.ledger.domain.loan_account import LoanAccount, fold
from services.ledger.domain.timeline import Row


class RowChange(msgspec.Struct, frozen=True, gc=False):
    """One instalment before and after; zeros where it is not there; minor units."""

    number: int
    due_on: date
    principal_due: tuple[int, int]
    interest_due: tuple[int, int]
    unpaid: tuple[int, int]


class Effects(msgspec.Struct, frozen=True, gc=False):
    """What a command does to one loan, on the business date; postings with the date they count."""

    events: tuple[str, ...]
    postings: tuple[tuple[date, Posting], ...]
    rows: tuple[RowChange, ...]
    figures_before: dict[str, int]
    figures_after: dict[str, int]
    standing_before: Standing
    standing_after: Standing


def effects(account: LoanAccount | None, events: Sequence[Fact], on: date) -> Effects:
    """
    Return what events do to a loan.

    Args:
        account: The loan without them; None when they open it.
        events: What was decided, stored or not.
        on: The date to look at.
    """
    after = fold(events, account)
    old = account.timeline(on) if account else None
    new = after.timeline(on) if after else None
    return Effects(
        events=tuple(type(event).__name__ for event in events),
        postings=tuple(
            (event.effective_on, posting)
            for event in events
            if isinstance(event, Financial)
            for posting in event.postings
        ),
        rows=_row_changes(old.rows if old else [], new.rows if new else []),
        figures_before=figures(old) if old else {},
        figures_after=figures(new) if new else {},
        standing_before=standing_of(old) if old else Standing(),
        standing_after=standing_of(new) if new else Standing(),
    )


def _row_changes(old: list[Row], new: list[Row]) -> tuple[RowChange, ...]:
    """Return the rows that differ, by number."""
    were, are = {r.number: r for r in old}, {r.number: r for r in new}
    changes = []
    for number in sorted({*were, *are}):
        a, b = were.get(number), are.get(number)
        some = b or a
        assert some is not None
        change = RowChange(
            number,
            some.due_on,
            (a.principal_due if a else 0, b.principal_due if b else 0),
            (a.interest_due if a else 0, b.interest_due if b else 0),
            (a.unpaid if a else 0, b.unpaid if b else 0),
        )
        pairs = (change.principal_due, change.interest_due, change.unpaid)
        if any(x != y for x, y in pairs):
            changes.append(change)
    return tuple(changes)
