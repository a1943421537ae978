"""The log: every event once, in order, on SQLite or PostgreSQL, through the same few calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import msgspec
from eventsourcing.persistence import (
    IntegrityError,
    PersistenceError,
)
from eventsourcing.postgres import PostgresDatastore
from eventsourcing.sqlite import SQLiteDatastore
from sqlalchemy.engine import make_url

from services.ledger.adapters.event_mapper import decode_all, encode, topic_of
from services.ledger.adapters.recorders import PostgresRecorder, SQLiteRecorder
from services.ledger.application.ports import Logged, LogUnavailable, StreamChanged
from shared.runtime.database import refuse_others

STREAMS_MAX, STREAM_ROWS_MAX = 100, 2_000
"""Streams of one statement, and how many of their rows it fetches."""

EVENTS_TABLE = "ledger_events"

APPLICATION_ID = 0x44554542
"""Marks a SQLite file as a ledger's: "DUEB"."""


@dataclass(slots=True)
class EventStore:
    """Streams of events by originator id, and the log over all of them by position."""

    recorder: SQLiteRecorder | PostgresRecorder
    datastore: SQLiteDatastore | PostgresDatastore

    def append(self, streams: Sequence[tuple[str, int, Sequence[msgspec.Struct]]]) -> None:
        """
        Store events of many streams in one transaction.

        Args:
            streams: Originator id, version before the first new event, new events.
        Raises:
            StreamChanged: one of the versions exists; nothing was stored.
            LogUnavailable: the store did not answer; stored or not, the same request tells.
        """
        rows = [
            (originator, version, topic_of(event), encode(event))
            for originator, before, new in streams
            for version, event in enumerate(new, before + 1)
        ]
        try:
            self.recorder.append(rows)
        except IntegrityError as conflict:
            raise StreamChanged(str(conflict)) from conflict
        except PersistenceError as failure:
            raise LogUnavailable("it is not known whether the log has it") from failure

    def stream(self, originator_id: str, version_max: int | None = None) -> list[msgspec.Struct]:
        """Return the events of one stream, oldest first."""
        try:
            rows = self.recorder.select_events(originator_id, lte=version_max)
        except PersistenceError as failure:
            raise LogUnavailable("the log did not answer") from failure
        return decode_all((row.topic, row.state) for row in rows)

    def streams(self, originator_ids: Sequence[str]) -> Iterator[tuple[str, list[msgspec.Struct]]]:
        """
        Yield many streams, each whole and oldest first; those that do not exist are empty.

        Read by a statement for each hundred, when they are asked for. Where they are more rows than
        one statement fetches, those that came whole are yielded, the others are asked for again;
        one that is too long on its own is left out.
        """
        left = sorted(set(originator_ids))
        while left:
            asked, left = left[:STREAMS_MAX], left[STREAMS_MAX:]
            try:
                rows = self.recorder.select_streams(asked, STREAM_ROWS_MAX)
            except PersistenceError as failure:
                raise LogUnavailable("the log did not answer") from failure
            found = {name: list(stream) for name, stream in groupby(rows, itemgetter(0))}
            if len(rows) == STREAM_ROWS_MAX:
                cut = rows[-1][0]
                del found[cut]
                left = [name for name in asked if name not in found and name != cut] + left
                left, asked = ([cut, *left] if found else left), list(found)
            for name in asked:
                yield name, decode_all(row[2:] for row in found.get(name, ()))

    def stored(self, originator_id: str, version: int | None = None) -> list[Logged]:
        """Return one stream, or one event of it, as stored; the log position is not looked up."""
        before = None if version is None else version - 1
        rows = self.recorder.select_events(originator_id, gt=before, lte=version)
        return [
            Logged(0, str(row.originator_id), row.originator_version, row.topic, row.state)
            for row in rows
        ]

    def log(self, after: int, limit: int) -> list[Logged]:
        """Return up to `limit` events after a position, in the order of commit."""
        return [Logged(*row) for row in self.recorder.select_log(after, limit)]

    def placed(self, originator_id: str, after: int, limit: int) -> list[Logged]:
        """Return up to `limit` events of one stream after a position, with their positions."""
        return [Logged(*row) for row in self.recorder.select_placed(originator_id, after, limit)]

    def names(self, prefix: str, after: str, limit: int) -> list[str]:
        """Return up to `limit` ids of streams that begin so, behind one, in the store's order."""
        return self.recorder.select_names(prefix, after, limit)

    def count(self, prefix: str) -> int:
        """Return how many streams begin so."""
        return self.recorder.count_names(prefix)

    def last_position(self) -> int:
        """Return the position of the newest event; 0 for an empty log."""
        return self.recorder.max_notification_id() or 0

    def close(self) -> None:
        """Close every connection."""
        self.datastore.close()


def open_event_store(database_url: str) -> EventStore:
    """
    Open the log, and create it where there is none; one that another login owns is left as it is.

    Args:
        database_url: `sqlite+aiosqlite:///path` or `postgresql+asyncpg://user:password@host/name`.
    Raises:
        DatabaseNotOurs: the file is something else.
    """
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return _open_sqlite(Path(url.database or "ledger.db"))
    datastore = datastore_of(database_url)
    recorder = PostgresRecorder(datastore, events_table_name=EVENTS_TABLE)
    if recorder.is_ours():
        recorder.create_table()
    return EventStore(recorder, datastore)


def datastore_of(database_url: str) -> PostgresDatastore:
    """Return the connections to a log on PostgreSQL; nothing is connected until it is used."""
    url = make_url(database_url)
    return PostgresDatastore(
        dbname=url.database or "",
        host=url.host or "127.0.0.1",
        port=url.port or 5432,
        user=url.username or "",
        password=url.password or "",
        pool_size=4,
        max_overflow=4,
        originator_id_type="text",
        schema="public",
        enable_db_functions=True,
    )


def _open_sqlite(path: Path) -> EventStore:
    path.parent.mkdir(parents=True, exist_ok=True)
    refuse_others(path, APPLICATION_ID)
    datastore = SQLiteDatastore(str(path), lock_timeout=10, originator_id_type="text")
    recorder = SQLiteRecorder(datastore, events_table_name=EVENTS_TABLE)
    with datastore.transaction(commit=True) as cursor:
        cursor.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    recorder.create_table()
    return EventStore(recorder, datastore)
