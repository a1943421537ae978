"""A service's own database: SQLite made durable, or PostgreSQL, behind one engine."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, event
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


class DatabaseNotOurs(Exception):
    """The file exists and was made by something else; it was not touched."""


def open_database(database_url: str) -> AsyncEngine:
    """Open a database; nothing is connected until it is used."""
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        return create_async_engine(database_url, pool_size=5, pool_pre_ping=True)
    Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(database_url, connect_args={"timeout": 10})
    event.listen(engine.sync_engine, "connect", _make_durable)
    return engine


def _make_durable(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def create_tables(engine: AsyncEngine, metadata: MetaData, application_id: int) -> None:
    """
    Create the tables that are missing and mark a SQLite file as ours.

    Raises:
        DatabaseNotOurs: the file carries another mark, or is no SQLite file.
    """
    if engine.dialect.name == "sqlite":
        refuse_others(Path(engine.url.database or ""), application_id)
    async with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            await connection.exec_driver_sql(f"PRAGMA application_id = {application_id}")
        await connection.run_sync(metadata.create_all)


def refuse_others(path: Path, application_id: int) -> None:
    """
    Raise DatabaseNotOurs unless the file is missing, empty, or marked as ours.

    SQLite reads the mark, not we: after a kill it may still stand in the write-ahead log.
    """
    if not path.exists() or not path.stat().st_size:
        return
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as file:
            mark = file.execute("PRAGMA application_id").fetchone()[0]
            empty = file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    except sqlite3.DatabaseError:
        mark, empty = 0, False
    if mark != application_id and not (mark == 0 and empty):
        raise DatabaseNotOurs(f"{path} was not made by this service; set its DATABASE_URL")
