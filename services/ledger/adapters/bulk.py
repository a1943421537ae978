"""Many rows by few statements, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import Date, Dialect, Table
from sqlalchemy.ext.asyncio import AsyncConnection

ROWS_MAX = 50
"""Rows of one statement on SQLite; longer ones gain nothing."""


async def put(
    connection: AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]], *, over: bool = True
) -> None:
    """
    Write rows, in the order of the table's columns, past all that SQLAlchemy does for each row.

    Args:
        connection: In a transaction of the caller.
        table: Where they go.
        rows: No two with the same key.
        over: A row whose key is there takes the place of the old one; else it is an error.
    """
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        await _put_in_file(connection, table, _with_texts(table, rows, table.columns.keys()), over)
        return
    given = _given(table, connection.dialect, tuple(table.columns.keys()))
    statement = f"{_head(table)} SELECT * FROM {given}{_tail(table, over)}"
    await connection.exec_driver_sql(statement, _columns(rows))


async def change(
    connection: AsyncConnection,
    table: Table,
    names: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """
    Write some columns of rows that are there.

    Args:
        connection: In a transaction of the caller.
        table: With a key of one column.
        names: Of the columns, the key first.
        rows: Their values.
    """
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        fields = [(*row[1:], row[0]) for row in _with_texts(table, rows, names)]
        sets = ", ".join(f"{name} = ?" for name in names[1:])
        await connection.exec_driver_sql(
            f"UPDATE {table.name} SET {sets} WHERE {names[0]} = ?", fields
        )
        return
    sets = ", ".join(f"{name} = given.{name}" for name in names[1:])
    await connection.exec_driver_sql(
        f"UPDATE {table.name} SET {sets} FROM {_given(table, connection.dialect, tuple(names))}"
        f" WHERE {table.name}.{names[0]} = given.{names[0]}",
        _columns(rows),
    )


async def _put_in_file(
    connection: AsyncConnection, table: Table, rows: Sequence[tuple[Any, ...]], over: bool
) -> None:
    """Write all full parts by one call, and the rest by another: each call is another thread's."""
    whole = len(rows) - len(rows) % ROWS_MAX
    for start, stop in ((0, whole), (whole, len(rows))):
        count = min(ROWS_MAX, stop - start)
        if count:
            parts = [
                tuple(chain.from_iterable(rows[k : k + count])) for k in range(start, stop, count)
            ]
            await connection.exec_driver_sql(_values(table, count, over), parts)


def _columns(rows: Sequence[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))


def _with_texts(
    table: Table, rows: Sequence[tuple[Any, ...]], names: Sequence[str]
) -> Sequence[tuple[Any, ...]]:
    """Return rows with dates as SQLite keeps them."""
    dates = [k for k, name in enumerate(names) if isinstance(table.c[name].type, Date)]
    if not dates:
        return rows
    written = []
    for row in rows:
        fields = list(row)
        for k in dates:
            if fields[k] is not None:
                fields[k] = fields[k].isoformat()
        written.append(tuple(fields))
    return written


@lru_cache(maxsize=1024)
def _values(table: Table, count: int, over: bool) -> str:
    row = f"({','.join('?' * len(table.columns))})"
    return f"{_head(table)} VALUES {','.join([row] * count)}{_tail(table, over)}"


@lru_cache(maxsize=64)
def _given(table: Table, dialect: Dialect, names: tuple[str, ...]) -> str:
    """Return rows as PostgreSQL makes them of one array per column; values one by one cost more."""
    kinds = [table.c[name].type.compile(dialect) for name in names]
    arrays = ", ".join(f"${k}::{kind}[]" for k, kind in enumerate(kinds, start=1))
    return f"unnest({arrays}) AS given({', '.join(names)})"


def _head(table: Table) -> str:
    return f"INSERT INTO {table.name} ({', '.join(table.columns.keys())})"


def _tail(table: Table, over: bool) -> str:
    if not over:
        return ""
    key = ", ".join(column.name for column in table.primary_key)
    rest = [c.name for c in table.columns if not c.primary_key]
    changes = ", ".join(f"{name} = excluded.{name}" for name in rest)
    return f" ON CONFLICT ({key}) DO UPDATE SET {changes}"
