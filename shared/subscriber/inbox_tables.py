"""The tables in which a subscriber keeps what it has heard, in its own database."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

METADATA = MetaData()
READ = Table(
    "stream_read",
    METADATA,
    Column("subscriber", String(80), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("mark", String(64), nullable=False),
    Column("replay_until", BigInteger, nullable=False),
)
TOLD_BEFORE = Table(
    "stream_told_before",
    METADATA,
    Column("subscriber", String(80), primary_key=True),
    Column("recorded_at", String(40), nullable=False),
)
PLACES = Table(
    "stream_places",
    METADATA,
    Column("subscriber", String(80), primary_key=True),
    Column("loan_id", String(40), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)
PARKED = Table(
    "stream_parked",
    METADATA,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("subscriber", String(80), nullable=False, index=True),
    Column("loan_id", String(40), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("reason", String(20), nullable=False),
    Column("detail", Text, nullable=False),
    Column("subject", String(200), nullable=False),
    Column("headers", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("stream_sequence", BigInteger, nullable=False),
    Column("stored_at", DateTime(timezone=True), nullable=False),
    Column("redrive", Integer, nullable=False, default=0),
)
CHECKPOINTS = Table(
    "stream_checkpoints",
    METADATA,
    Column("subscriber", String(80), primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("stream_sequence", BigInteger, nullable=False),
)
