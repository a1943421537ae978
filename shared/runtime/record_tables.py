"""The tables in which a service keeps its records, its answers and what it owes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    collate,
    inspect,
    text,
)

ID_CHARACTERS_MAX = 160
METADATA = MetaData()
RECORDS = Table(
    "records",
    METADATA,
    Column("kind", String(40), primary_key=True),
    Column("id", String(ID_CHARACTERS_MAX), primary_key=True),
    Column("state", String(40), nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
    Column("due_at", String(32), nullable=False, server_default=""),
)
"""`due_at`, UTC, is when a record wants to be looked at; empty sorts first: at once."""

DUE = Index("ix_records_due", RECORDS.c.kind, RECORDS.c.state, RECORDS.c.due_at, RECORDS.c.id)
REQUESTS = Table(
    "requests",
    METADATA,
    Column("request_id", String(80), primary_key=True),
    Column("body_sha256", String(64), nullable=False),
    Column("answer", LargeBinary, nullable=False),
)
OUTBOX = Table(
    "outbox",
    METADATA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("subject", String(200), nullable=False),
    Column("message_id", String(200), nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),
    Column("headers", LargeBinary, nullable=False),
    Column("sent", Integer, nullable=False, index=True),
)


def order_of_ids(dialect: str, before: str = "") -> Any:
    """Return what ids are ordered by; up to another id means by bytes, whatever the language."""
    return collate(RECORDS.c.id, "C") if before and dialect == "postgresql" else RECORDS.c.id


def grow(connection: Connection) -> None:
    """Give a table of an older version what was added since."""
    columns = {one["name"]: one for one in inspect(connection).get_columns("records")}
    if "due_at" not in columns:
        added = "ALTER TABLE records ADD COLUMN due_at VARCHAR(32) DEFAULT '' NOT NULL"
        connection.execute(text(added))
        DUE.create(connection)
    length = getattr(columns["id"]["type"], "length", None) or ID_CHARACTERS_MAX
    if connection.dialect.name == "postgresql" and length < ID_CHARACTERS_MAX:
        longer = f"ALTER TABLE records ALTER COLUMN id TYPE VARCHAR({ID_CHARACTERS_MAX})"
        connection.execute(text(longer))
