"""The log on PostgreSQL belongs to an owner; the ledger's own login can read it and append."""

from __future__ import annotations

from typing import Any

from eventsourcing.postgres import PostgresDatastore
from psycopg.sql import SQL, Identifier

from services.ledger.adapters.event_store import EVENTS_TABLE, EventStore, datastore_of
from services.ledger.adapters.recorders import PostgresRecorder

MAY_CHANGE = SQL(
    "SELECT pg_has_role(r.oid, c.relowner, 'MEMBER')"
    " OR has_table_privilege(r.oid, c.oid, 'UPDATE, DELETE, TRUNCATE')"
    " OR has_any_column_privilege(r.oid, c.oid, 'UPDATE') AS may"
    " FROM pg_class c, pg_roles r"
    " WHERE c.oid = to_regclass(%s) AND r.rolname = coalesce(%s, current_user)"
)


class LogNotAppendOnly(Exception):
    """The ledger's login could change or delete what is in the log."""


def require_append_only(store: EventStore) -> None:
    """
    Refuse a login that could do more to the log than append.

    Args:
        store: Where the log is. A SQLite file belongs to whoever may write it: nothing is asked.
    Raises:
        LogNotAppendOnly: it owns the table, is a superuser, or was granted more than it needs.
    """
    if not isinstance(store.datastore, PostgresDatastore):
        return
    with store.datastore.get_connection() as connection, connection.cursor() as cursor:
        _refuse_changers(cursor, store.datastore.schema, None)


def _refuse_changers(cursor: Any, schema: str, login: str | None) -> None:
    """Raise LogNotAppendOnly if a login, else the one that is connected, may change the log."""
    found = cursor.execute(MAY_CHANGE, (f"{schema}.{EVENTS_TABLE}", login)).fetchone()
    if found and found["may"]:
        raise LogNotAppendOnly(
            f"{login or 'our login'} could change the log: it must not own it, nor be a superuser;"
            " see `python -m services.ledger keep-log --help`"
        )


def keep_log(owner_url: str, writer: str) -> None:
    """
    Make the log as its owner, and let the ledger's login read it and append to it, no more.

    Once made, the log stays; a second run grants the same. What was granted to the login on the
    table before is taken back.

    Args:
        owner_url: `postgresql+asyncpg://owner:password@host/name`, not the ledger's login.
        writer: The login that the ledger uses; it exists.
    Raises:
        PersistenceError: it does not, or the server cannot be reached.
        LogNotAppendOnly: it could still change the log: it is the owner, in the owner's role, or a
            superuser. Nothing was granted.
    """
    datastore = datastore_of(owner_url)
    recorder = PostgresRecorder(datastore, events_table_name=EVENTS_TABLE)
    names = {
        "schema": Identifier(datastore.schema),
        "table": Identifier(EVENTS_TABLE),
        "function": Identifier(recorder.pg_function_name_insert_events),
        "writer": Identifier(writer),
    }
    try:
        recorder.create_table()
        with datastore.transaction(commit=True) as cursor:
            for statement in (
                "REVOKE ALL ON {schema}.{table} FROM PUBLIC, {writer}",
                "GRANT SELECT ON {schema}.{table} TO {writer}",
                "GRANT EXECUTE ON FUNCTION {schema}.{function} TO {writer}",
                "GRANT USAGE, CREATE ON SCHEMA {schema} TO {writer}",
            ):
                cursor.execute(SQL(statement).format(**names))
            _refuse_changers(cursor, datastore.schema, writer)
    finally:
        datastore.close()
