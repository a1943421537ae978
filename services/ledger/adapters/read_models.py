"""The tables that people look up: written from the log in batches, rows and position together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import zip_longest
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, delete, func, insert, inspect, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.ledger.adapters.bulk import change, put
from services.ledger.adapters.tables import (
    JOURNAL_LINES,
    LIVE,
    LOAN_SUMMARY,
    MESSAGE_SEQUENCES,
    METADATA,
    POSITIONS,
    Followed,
)
from services.ledger.application.following import Page
from services.ledger.application.projecting import PositionMoved
from services.ledger.application.rows import (
    JournalRow,
    Shown,
    StandingRow,
    accrual_rows,
    aged_row,
    instalments_shown,
    journal_rows,
    line_of,
    standing_row,
    summary_row,
)
from services.ledger.domain.events import TransitionRecorded
from services.ledger.domain.loan_account import LoanAccount
from services.ledger.domain.timeline import Timeline
from shared.kernel.bounded import Bounded
from shared.runtime.database import create_tables
from shared.subscriber.chain import GENESIS

APPLICATION_ID = 0x44554552
"""Marks a SQLite file as a ledger's read models: "DUER"."""

CHUNK = 500
WRITTEN_BYTES_MAX, WRITTEN_ROW_BYTES = 64 << 20, 250
FOLLOWED = {
    "read-models": LIVE,
    "relay": (MESSAGE_SEQUENCES,),
}


class Told(NamedTuple):
    """
    What was published of a loan: number and hash of its last event, and where that is.

    `stream_sequence` and `state_sequence` are the sequences of its last event and its last state in
    their streams.
    """

    sequence: int = 0
    hash: str = GENESIS
    stream_sequence: int = 0
    state_sequence: int = 0


@dataclass(slots=True)
class ReadModels:
    """
    Reads and writes the tables of one database.

    What follows from the log goes to `tables`; `follower` names how far they have come.
    """

    engine: AsyncEngine
    tables: Followed = LIVE
    follower: str = "read-models"
    written: Bounded[list[Shown]] = field(
        default_factory=lambda: Bounded(
            WRITTEN_BYTES_MAX, lambda rows: WRITTEN_ROW_BYTES * (1 + len(rows))
        )
    )

    async def create(self) -> None:
        """Create the tables that are missing."""
        await create_tables(self.engine, METADATA, APPLICATION_ID)
        async with self.engine.begin() as connection:
            await connection.run_sync(_rebuild_if_older)

    async def position(self, follower: str) -> int:
        """Return how far a follower of the log has come."""
        query = select(POSITIONS.c.position).where(POSITIONS.c.follower == follower)
        async with self.engine.connect() as connection:
            return (await connection.execute(query)).scalar() or 0

    async def apply(self, page: Page, after: int) -> None:
        """
        Write what a page of the log changes, and the position, in one transaction.

        Raises:
            PositionMoved: the tables are not, or no more, at the position `after`.
        """
        last = {row.event.loan_id: row.account for row in page.followed}
        aged = _only_aged(page)
        late = {row.event.loan_id: aged_row(row) for row in page.aged}
        late |= {loan_id: standing_row(last[loan_id]) for loan_id in aged}
        moved = [account for loan_id, account in last.items() if loan_id not in aged]
        journal = [line for row in page.followed for line in journal_rows(row)]
        journal += [line for row in page.accruals for line in accrual_rows(row)]
        try:
            await self._apply(moved, list(late.values()), journal, after, page.reached)
        except BaseException:
            self.written.clear()
            raise

    async def _apply(
        self,
        moved: list[LoanAccount],
        late: list[StandingRow],
        journal: list[JournalRow],
        after: int,
        position: int,
    ) -> None:
        lines = {account.loan_id: line_of(account) for account in moved}
        async with self.engine.begin() as connection:
            await self._move(connection, after, position)
            summary = self.tables.loan_summary
            await put(connection, summary, [summary_row(a, lines[a.loan_id]) for a in moved])
            await change(connection, summary, StandingRow._fields, late)
            await self._instalments(connection, lines)
            await put(connection, self.tables.journal_lines, journal, over=False)

    async def _move(self, connection: AsyncConnection, after: int, position: int) -> None:
        """Move the position on, first of all: whoever else would write then waits."""
        at = POSITIONS.c.follower == self.follower
        moved = await connection.execute(
            update(POSITIONS).where(at, POSITIONS.c.position == after).values(position=position)
        )
        if moved.rowcount == 1:
            return
        found = (await connection.execute(select(POSITIONS.c.position).where(at))).scalar()
        if found is not None or after:
            raise PositionMoved(f"the tables are at {found}, not at {after}")
        await connection.execute(
            insert(POSITIONS), {"follower": self.follower, "position": position}
        )

    async def _instalments(
        self, connection: AsyncConnection, lines: dict[str, Timeline | None]
    ) -> None:
        """Write the instalments that differ from what was last written; all where unknown."""
        table, unknown = self.tables.instalments, []
        gone: list[tuple[str, int]] = []
        rows: list[tuple[Any, ...]] = []
        for loan_id, line in lines.items():
            fresh, known = instalments_shown(line), self.written.get(loan_id)
            if known == fresh:
                continue
            self.written.put(loan_id, fresh)
            if known is None:
                unknown.append(loan_id)
                known = []
            pairs = zip_longest(fresh, known[: len(fresh)])
            rows += [(loan_id, *new) for new, old in pairs if new != old]
            left = {row[0] for row in fresh}
            gone += [(loan_id, row[0]) for row in known if row[0] not in left]
        for part in _parts(unknown):
            await connection.execute(delete(table).where(table.c.loan_id.in_(part)))
        key = tuple_(table.c.loan_id, table.c.number)
        for part in _parts(gone):
            await connection.execute(delete(table).where(key.in_(part)))
        await put(connection, table, rows)

    async def due_for_ageing(self, on: date) -> list[str]:
        """Return the loans whose next change of standing has come, by loan id."""
        query = select(LOAN_SUMMARY.c.loan_id).where(LOAN_SUMMARY.c.next_transition_on <= on)
        async with self.engine.connect() as connection:
            # Sorted here: asked to sort, SQLite reads the whole book in order of its key.
            return sorted((await connection.execute(query)).scalars())

    async def trial_balance(
        self, on: date, position_max: int | None = None
    ) -> list[tuple[str, str, int]]:
        """Return account, currency and balance, minor units, of lines up to a date and a place."""
        lines = JOURNAL_LINES.c
        query = (
            select(lines.account, lines.currency, func.sum(lines.amount_minor))
            .where(lines.effective_on <= on)
            .group_by(lines.account, lines.currency)
            .order_by(lines.account)
        )
        if position_max is not None:
            query = query.where(lines.position <= position_max)
        async with self.engine.connect() as connection:
            found = await connection.execute(query)
            return [(name, currency, int(total)) for name, currency, total in found]

    async def accruing(self) -> list[tuple[str, str]]:
        """Return currency and id of the loans whose contract books income when earned."""
        loans = LOAN_SUMMARY.c
        query = (
            select(loans.currency, loans.loan_id)
            .where(loans.posting_policy == "accrual/1")
            .order_by(loans.currency, loans.loan_id)
        )
        async with self.engine.connect() as connection:
            return [(currency, loan_id) for currency, loan_id in await connection.execute(query)]

    async def unbalanced_days(self) -> list[date]:
        """Return every date whose journal lines do not sum to zero; there should be none."""
        lines = JOURNAL_LINES.c
        query = (
            select(lines.effective_on)
            .group_by(lines.effective_on, lines.currency)
            .having(func.sum(lines.amount_minor) != 0)
        )
        async with self.engine.connect() as connection:
            return list((await connection.execute(query)).scalars())

    async def all_rows(self, table: Table) -> list[dict[str, Any]]:
        """Return every row of a table in order of its key."""
        query = select(table).order_by(*table.primary_key.columns)
        async with self.engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def told(self, loans: Sequence[str]) -> dict[str, Told]:
        """Return what was published of some loans; none of a loan never told of."""
        found: dict[str, Told] = {}
        async with self.engine.connect() as connection:
            for start in range(0, len(loans), CHUNK):
                some = MESSAGE_SEQUENCES.c.loan_id.in_(loans[start : start + CHUNK])
                rows = await connection.execute(select(MESSAGE_SEQUENCES).where(some))
                found |= {loan_id: Told(*rest) for loan_id, *rest in rows}
        return found

    async def told_last(self) -> tuple[int, str, Told]:
        """Return how many loans were told of, and the one told last with its last message."""
        told = MESSAGE_SEQUENCES.c.sequence > 0
        last = select(MESSAGE_SEQUENCES).where(told)
        last = last.order_by(MESSAGE_SEQUENCES.c.stream_sequence.desc()).limit(1)
        async with self.engine.connect() as connection:
            count = select(func.count()).select_from(MESSAGE_SEQUENCES).where(told)
            loans = (await connection.execute(count)).scalar_one()
            row = (await connection.execute(last)).first()
        return (loans, row[0], Told(*row[1:])) if row else (0, "", Told())

    async def forget_told(self) -> None:
        """Let the relay begin again: what it told and how far it came are forgotten together."""
        async with self.engine.begin() as connection:
            await connection.execute(delete(MESSAGE_SEQUENCES))
            await set_position(connection, "relay", 0)

    async def published(self, told: dict[str, Told], position: int) -> None:
        """Store how far the relay has come: position and loans together."""
        async with self.engine.begin() as connection:
            rows = [(loan_id, *one) for loan_id, one in told.items()]
            await put(connection, MESSAGE_SEQUENCES, rows)
            await set_position(connection, "relay", position)


def _only_aged(page: Page) -> set[str]:
    """Return the loans of which a page says how late they are, and nothing else."""
    moved = {r.event.loan_id for r in page.followed if not isinstance(r.event, TransitionRecorded)}
    return {row.event.loan_id for row in page.followed} - moved


def _rebuild_if_older(connection: Connection) -> None:
    """Empty tables whose columns are of an older version; the log is followed again."""
    for follower, tables in FOLLOWED.items():
        if any(_is_older(connection, table) for table in tables):
            METADATA.drop_all(connection, tables)
            METADATA.create_all(connection, tables)
            connection.execute(delete(POSITIONS).where(POSITIONS.c.follower == follower))


def _is_older(connection: Connection, table: Table) -> bool:
    found = {column["name"] for column in inspect(connection).get_columns(table.name)}
    return found != set(table.columns.keys())


async def set_position(connection: AsyncConnection, follower: str, position: int) -> None:
    """Store how far a follower has come, in the caller's transaction."""
    await connection.execute(delete(POSITIONS).where(POSITIONS.c.follower == follower))
    await connection.execute(insert(POSITIONS), {"follower": follower, "position": position})


def _parts(names: list[Any]) -> list[list[Any]]:
    return [names[start : start + CHUNK] for start in range(0, len(names), CHUNK)]
