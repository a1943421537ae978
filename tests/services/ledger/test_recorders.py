"""A commit to SQLite is whole or nothing, whether it is one statement or many."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.recorders import ROWS_MAX
from services.ledger.application.ports import StreamChanged
from services.ledger.domain.book_events import RequestAnswered


def answered(number: int) -> RequestAnswered:
    """Return an event to store."""
    return RequestAnswered(
        request_id=f"r-{number}",
        body_sha256="",
        loan_id="L-1",
        loan_version=1,
        business_on=None,
    )


@pytest.mark.parametrize("rows", [2, ROWS_MAX, ROWS_MAX + 1, 3 * ROWS_MAX])
def test_a_conflict_in_the_last_row_leaves_nothing(tmp_path: Path, rows: int) -> None:
    """Neither the rows before it nor an open transaction: the next commit is stored."""
    store = open_event_store(f"sqlite+aiosqlite:///{tmp_path}/ledger.db")
    try:
        store.append([("taken", 0, [answered(0)])])
        new = [(f"s-{k}", 0, [answered(k)]) for k in range(rows - 1)]

        with pytest.raises(StreamChanged):
            store.append([*new, ("taken", 0, [answered(1)])])

        assert store.last_position() == 1
        store.append(new)
        assert [row.version for row in store.stored(f"s-{rows - 2}")] == [1]
        assert store.last_position() == rows
    finally:
        store.close()
