"""The event library's recorders, with one statement per commit instead of one per event."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

from eventsourcing.persistence import (
    IntegrityError,
    InterfaceError,
    OperationalError,
)
from eventsourcing.postgres import PostgresApplicationRecorder
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteCursor
from eventsourcing.utils import retry
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Composed, Identifier

ROWS_MAX = 250
"""Rows of one statement; SQLite allows 32,766 values, and long statements gain nothing."""

COLUMNS = "originator_id, originator_version, topic, state"
IN_ORDER = "ORDER BY originator_id, originator_version"
BY_NAME = "ORDER BY originator_id"

Row = tuple[str, int, str, bytes]
"""Originator id, version, topic and state."""

LogRow = tuple[int, str, int, str, bytes]
"""Position, then as in Row."""


class SQLiteRecorder(SQLiteApplicationRecorder):
    """
    Inserts many rows by one statement.

    A statement per row gives the interpreter lock away and takes it back each time; beside a busy
    server that cost four times what SQLite itself takes. A conflict takes the whole transaction
    back, so that SQLite need not keep each statement's pages for taking back that one alone.
    """

    def append(self, rows: Sequence[Row]) -> None:
        """Append events; what fits into one statement is a transaction without BEGIN and COMMIT."""
        if len(rows) > ROWS_MAX:
            with self.datastore.transaction(commit=True) as cursor:
                self._append(cursor, rows)
            return
        try:
            with self.datastore.get_connection(commit=True) as connection:
                self._append(connection.cursor(), rows)
        except sqlite3.IntegrityError as conflict:
            raise IntegrityError(conflict) from conflict
        except sqlite3.Error as failure:
            raise OperationalError(failure) from failure

    def _append(self, cursor: SQLiteCursor, rows: Sequence[Row]) -> None:
        head = f"INSERT OR ROLLBACK INTO {self.events_table_name}"
        for start in range(0, len(rows), ROWS_MAX):
            part = rows[start : start + ROWS_MAX]
            marks = ",".join(["(?,?,?,?)"] * len(part))
            cursor.execute(f"{head} VALUES {marks}", list(chain.from_iterable(part)))

    def select_streams(self, originator_ids: Sequence[str], limit: int) -> list[Row]:
        """Return the first rows of many streams, by stream and version."""
        marks = ",".join("?" * len(originator_ids))
        query = (
            f"SELECT {COLUMNS} FROM {self.events_table_name}"
            f" WHERE originator_id IN ({marks}) {IN_ORDER} LIMIT ?"
        )
        with self.datastore.transaction(commit=False) as cursor:
            cursor.execute(query, [*originator_ids, limit])
            return [tuple(row) for row in cursor.fetchall()]

    def select_log(self, after: int, limit: int) -> list[LogRow]:
        """Return the first rows after a position: as tuples, which is what followers take."""
        query = (
            f"SELECT rowid, {COLUMNS} FROM {self.events_table_name}"
            " WHERE rowid > ? ORDER BY rowid LIMIT ?"
        )
        with self.datastore.transaction(commit=False) as cursor:
            cursor.execute(query, (after, limit))
            return [tuple(row) for row in cursor.fetchall()]

    def select_placed(self, originator_id: str, after: int, limit: int) -> list[LogRow]:
        """Return the first rows of a stream after a position, found by the stream."""
        query = (
            f"SELECT rowid, {COLUMNS} FROM {self.events_table_name}"
            " WHERE originator_id = ? AND rowid > ? ORDER BY originator_version LIMIT ?"
        )
        with self.datastore.transaction(commit=False) as cursor:
            cursor.execute(query, (originator_id, after, limit))
            return [tuple(row) for row in cursor.fetchall()]

    def select_names(self, prefix: str, after: str, limit: int) -> list[str]:
        """Return the first streams of a kind behind one, by name."""
        query = f"SELECT originator_id {self._of_a_kind()} {BY_NAME} LIMIT ?"
        with self.datastore.transaction(commit=False) as cursor:
            cursor.execute(query, (after or prefix, _behind(prefix), limit))
            return [row[0] for row in cursor.fetchall()]

    def count_names(self, prefix: str) -> int:
        """Return how many streams there are of a kind."""
        with self.datastore.transaction(commit=False) as cursor:
            cursor.execute(f"SELECT COUNT(*) {self._of_a_kind()}", (prefix, _behind(prefix)))
            return int(cursor.fetchone()[0])

    def _of_a_kind(self) -> str:
        # One lower bound: of two SQLite takes the first to begin at, whichever is higher.
        first = "originator_version = 1 AND originator_id > ? AND originator_id < ?"
        return f"FROM {self.events_table_name} WHERE {first}"


def _behind(prefix: str) -> str:
    """Return the first name behind all that begin so."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


class PostgresRecorder(PostgresApplicationRecorder):
    """
    Calls one function per commit: it locks the table and inserts, as the table's owner, so that
    whoever may call it needs no right to change the table.

    The library's own function leaves the lock out, and followers then miss events that become
    visible late. Nobody listens for the library's notification, so it is not sent.
    """

    def __init__(self, datastore: Any, *, events_table_name: str) -> None:
        super().__init__(datastore, events_table_name=events_table_name)
        self.pg_function_name_insert_events = f"{events_table_name}_append"
        names = {
            "function": Identifier(self.pg_function_name_insert_events),
            "schema": Identifier(self.datastore.schema),
            "table": Identifier(self.events_table_name),
        }
        self.sql_append = SQL(
            "SELECT {schema}.{function}(%b::text[], %b::bigint[], %b::text[], %b::bytea[])"
        ).format(**names)
        self.sql_create_statements[self.create_insert_function_statement_index] = SQL(
            "CREATE OR REPLACE FUNCTION {schema}.{function}(text[], bigint[], text[], bytea[])"
            " RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
            " AS $BODY$ BEGIN"
            " LOCK TABLE {schema}.{table} IN EXCLUSIVE MODE;"
            " INSERT INTO {schema}.{table} (originator_id, originator_version, topic, state)"
            " SELECT * FROM unnest($1, $2, $3, $4);"
            " END; $BODY$"
        ).format(**names)
        self.sql_create_statements.append(
            SQL(
                "REVOKE ALL ON FUNCTION {schema}.{function}(text[], bigint[], text[], bytea[])"
                " FROM PUBLIC"
            ).format(**names)
        )

    def is_ours(self) -> bool:
        """Return whether there is no log yet, or it belongs to our login."""
        query = (
            "SELECT pg_has_role(relowner, 'MEMBER') AS ours FROM pg_class"
            " WHERE oid = to_regclass(%s)"
        )
        table = f"{self.datastore.schema}.{self.events_table_name}"
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            found = cursor.execute(query, (table,)).fetchone()
        return found is None or found["ours"]

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def append(self, rows: Sequence[Row]) -> None:
        """Append events, one array per column: rows as values of a type cost ten times as much."""
        columns = [[row[k] for row in rows] for k in range(4)]
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            cursor.execute(self.sql_append, columns, prepare=True)

    def select_streams(self, originator_ids: Sequence[str], limit: int) -> list[Row]:
        """Return the first rows of many streams, by stream and version."""
        query = self._query(f"SELECT {COLUMNS}", f"originator_id = ANY(%s) {IN_ORDER} LIMIT %s")
        with self.datastore.get_connection() as connection, connection.cursor() as cursor:
            cursor.execute(query, [list(originator_ids), limit], prepare=True)
            return [
                (row["originator_id"], row["originator_version"], row["topic"], bytes(row["state"]))
                for row in cursor.fetchall()
            ]

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def select_log(self, after: int, limit: int) -> list[LogRow]:
        """Return the first rows after a position: as tuples, which is what followers take."""
        query = self._query(
            f"SELECT notification_id, {COLUMNS}",
            "notification_id > %s ORDER BY notification_id LIMIT %s",
        )
        return self._rows(query, (after, limit))

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def select_placed(self, originator_id: str, after: int, limit: int) -> list[LogRow]:
        """Return the first rows of a stream after a position, found by the stream."""
        query = self._query(
            f"SELECT notification_id, {COLUMNS}",
            "originator_id = %s AND notification_id > %s ORDER BY originator_version LIMIT %s",
        )
        return self._rows(query, (originator_id, after, limit))

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def select_names(self, prefix: str, after: str, limit: int) -> list[str]:
        """Return the first streams of a kind behind one, in the order of the database."""
        query = self._query(
            "SELECT originator_id",
            "originator_version = 1 AND starts_with(originator_id, %s) AND originator_id > %s"
            f" {BY_NAME} LIMIT %s",
        )
        return [row[0] for row in self._rows(query, (prefix, after or prefix, limit))]

    @retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)
    def count_names(self, prefix: str) -> int:
        """Return how many streams there are of a kind."""
        where = "originator_version = 1 AND starts_with(originator_id, %s)"
        return int(self._rows(self._query("SELECT COUNT(*)", where), (prefix,))[0][0])

    def _query(self, select: str, where: str) -> Composed:
        """Return a query of the log's table."""
        names = {"schema": self.datastore.schema, "table": self.events_table_name}
        text = SQL(f"{select} FROM {{schema}}.{{table}} WHERE {where}")
        return text.format(**{name: Identifier(value) for name, value in names.items()})

    def _rows(self, query: Composed, given: tuple[Any, ...]) -> list[Any]:
        """Return a query's rows as tuples."""
        with (
            self.datastore.get_connection() as connection,
            connection.cursor(row_factory=tuple_row, binary=True) as cursor,
        ):
            return cursor.execute(query, given, prepare=True).fetchall()
